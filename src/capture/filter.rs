//! Capture filters (BPF) for any source: one program for each link type that occurs.
//!
//! libpcap compiles the programs, `bpf.rs` runs them.

use std::collections::BTreeMap;

use pcap::{Capture, Linktype};

use super::bpf::{Machine, Seen};
use super::counters::CaptureCounters;
use super::{CaptureError, Damage, Progress, Source};
use crate::model::block::Block;
use crate::model::frame::{FrameHeader, LinkType};
use crate::model::loss::Losses;

/// Cause under which frames that do not match are counted.
pub const NOT_MATCHING: &str = "not matched by the filter";

/// What libpcap says of an expression that is sound and can be true of no packet.
const REJECTS_ALL: &str = "expression rejects all packets";

/// `AF_INET6` as libpcap's programs have it here.
const LOCAL_IPV6: u32 = if cfg!(target_os = "linux") {
    10
} else if cfg!(target_vendor = "apple") {
    30
} else if cfg!(target_os = "freebsd") {
    28
} else {
    24
};

/// Link types for which a filter is tried before reading: one that fits none of them is a mistake.
const TRIED: [LinkType; 4] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::IEEE802_11_RADIOTAP,
    LinkType::LINUX_SLL,
];

/// The number by which libpcap knows a link type, where it is not the registry's.
#[must_use]
pub const fn to_dlt(link: LinkType) -> i32 {
    match link.0 {
        100 => 11,
        101 => 12,
        other => other as i32,
    }
}

/// The registry's link type for a number of libpcap's.
pub(super) fn from_dlt(number: i32) -> LinkType {
    match number {
        11 => LinkType(100),
        12 | 14 => LinkType::RAW,
        other => LinkType(u16::try_from(other).unwrap_or(u16::MAX)),
    }
}

/// A filter compiled for the link types met so far.
pub struct Programs {
    text: String,
    compiled: BTreeMap<LinkType, Machine>,
}

impl Programs {
    /// Compiles a filter. It must fit Ethernet or another common link type.
    pub fn new(text: &str) -> Result<Self, CaptureError> {
        let mut complaint = None;
        for link in TRIED {
            match compile(text, link) {
                Ok(program) => {
                    return Ok(Self {
                        text: text.to_owned(),
                        compiled: BTreeMap::from([(link, program)]),
                    });
                }
                Err(cause) => complaint = complaint.or(Some(cause)),
            }
        }
        Err(CaptureError::Filter {
            filter: text.to_owned(),
            cause: complaint.unwrap_or_default(),
        })
    }

    /// Compiles for the link types of these frames that are new.
    fn prepare(&mut self, frames: &[FrameHeader]) -> Result<(), CaptureError> {
        let mut ready = None;
        for frame in frames {
            if ready == Some(frame.link) {
                continue;
            }
            ready = Some(frame.link);
            if self.compiled.contains_key(&frame.link) {
                continue;
            }
            let program = match compile(&self.text, frame.link) {
                Ok(program) => program,
                // Sound, but true of nothing there: IPv6 where every packet is IPv4.
                Err(cause) if cause == REJECTS_ALL => Machine::default(),
                Err(cause) => {
                    return Err(CaptureError::FilterForLink {
                        filter: self.text.clone(),
                        link: frame.link,
                        cause,
                    });
                }
            };
            self.compiled.insert(frame.link, program);
        }
        Ok(())
    }

    fn matches(&self, frame: &FrameHeader, bytes: &[u8]) -> bool {
        let seen = Seen {
            bytes,
            length_on_wire: frame.length_on_wire,
            first_word: loopback_family(frame.link, bytes),
        };
        self.compiled
            .get(&frame.link)
            .is_some_and(|program| program.passes(seen))
    }
}

fn compile(text: &str, link: LinkType) -> Result<Machine, String> {
    let program = Capture::dead(Linktype(to_dlt(link)))
        .and_then(|handle| handle.compile(text, true))
        .map_err(|error| complaint(&error))?;
    Machine::of(&program).ok_or_else(|| "libpcap compiles it to something unknown".to_owned())
}

/// The address family of a loopback frame as programs of this system compare it: the capture may be of another system, which has
/// another byte order and numbers IPv6 otherwise.
fn loopback_family(link: LinkType, bytes: &[u8]) -> Option<u32> {
    if link != LinkType::NULL && link != LinkType::LOOP {
        return None;
    }
    let octets = *bytes.first_chunk::<4>()?;
    let (little, big) = (u32::from_le_bytes(octets), u32::from_be_bytes(octets));
    let family = match little.min(big) {
        10 | 23 | 24 | 28 | 30 => LOCAL_IPV6,
        other => other,
    };
    Some(if link == LinkType::NULL {
        u32::from_be_bytes(family.to_ne_bytes())
    } else {
        family
    })
}

/// What libpcap says, without the crate's prefix.
pub(super) fn complaint(error: &pcap::Error) -> String {
    if let pcap::Error::PcapError(text) = error {
        text.clone()
    } else {
        error.to_string()
    }
}

/// A source from which only the frames come that a filter matches.
pub struct Filter {
    inner: Box<dyn Source>,
    programs: Programs,
    removed: u64,
}

impl Filter {
    /// Puts `programs` in front of `inner`.
    #[must_use]
    pub fn new(inner: Box<dyn Source>, programs: Programs) -> Self {
        Self {
            inner,
            programs,
            removed: 0,
        }
    }
}

impl Source for Filter {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        let more = self.inner.fill(block)?;
        self.programs.prepare(&block.frames)?;
        let before = block.frames.len();
        let mut frames = std::mem::take(&mut block.frames);
        frames.retain(|frame| self.programs.matches(frame, block.frame_bytes(frame)));
        block.frames = frames;
        let removed = before.saturating_sub(block.frames.len()) as u64;
        self.removed = self.removed.saturating_add(removed);
        Ok(more)
    }

    fn progress(&self) -> Progress {
        self.inner.progress()
    }

    fn take_losses(&mut self) -> Losses {
        let mut losses = self.inner.take_losses();
        losses.add(NOT_MATCHING, std::mem::take(&mut self.removed));
        losses
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        self.inner.take_damage()
    }

    fn captures(&self) -> Vec<&CaptureCounters> {
        self.inner.captures()
    }
}
