//! An interface as a source, through libpcap.
//!
//! libpcap's immediate mode stays off: it falls back to the older ring and loses packets (measured: 9 % at 96 kpps).
//! The time-out of the newer ring does not wake a reader when no packet comes, so the handle is non-blocking and we
//! look again after a short sleep.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pcap::{Active, Capture, Device, Precision};

use super::counters::{CaptureCounters, Format, Interface};
use super::filter::{Programs, complaint, from_dlt};
use super::{CaptureError, Damage, Progress, Source};
use crate::model::block::Block;
use crate::model::frame::{FrameHeader, FrameRef, LinkType};
use crate::model::loss::Losses;
use crate::model::time::Timestamp;
use crate::settings::limits::Limits;

/// Longest time for which a block is gathered.
const GATHER: Duration = Duration::from_millis(100);
/// Time after which the kernel hands over a part of its ring that is not full.
const RETIRE_MS: i32 = 50;
/// Pause when nothing came.
const PAUSE: Duration = Duration::from_millis(5);
/// Silence after which nothing more is expected of the kernel at the end: several times that of its handing over.
const SILENCE: Duration = Duration::from_millis(4 * RETIRE_MS as u64);
/// Longest time for which the kernel's buffer is emptied at the end.
const LONGEST_DRAIN: Duration = Duration::from_secs(2);

/// How an interface is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Longest part of a frame that is captured.
    pub snap_length: u32,
    /// Bytes of the kernel's buffer.
    pub buffer_bytes: u32,
    /// Whether frames for other stations are wanted, as on a SPAN or TAP port.
    pub promiscuous: bool,
    /// Capture filter, applied by the kernel.
    pub filter: Option<String>,
    /// Bounds.
    pub limits: Limits,
    /// Index among the captures.
    pub index: u16,
    /// After how long the source ends by itself.
    pub duration: Option<Duration>,
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            snap_length: 65_535,
            buffer_bytes: 64 << 20,
            promiscuous: true,
            filter: None,
            limits: Limits::default(),
            index: 0,
            duration: None,
        }
    }
}

/// A 32-bit counter of the kernel's that wraps, summed in 64 bits.
#[derive(Clone, Copy, Debug, Default)]
struct Wrapping {
    last: u32,
    sum: u64,
}

impl Wrapping {
    fn update(&mut self, now: u32) -> u64 {
        let more = u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.sum = self.sum.saturating_add(more);
        more
    }
}

/// An interface that is listened to.
pub struct Live {
    handle: Capture<Active>,
    stop: Arc<AtomicBool>,
    link: LinkType,
    counters: CaptureCounters,
    limits: Limits,
    index: u16,
    number: u64,
    received: Wrapping,
    dropped: Wrapping,
    dropped_by_interface: Wrapping,
    losses: Losses,
    ends: Option<Instant>,
    drain: Option<Drain>,
}

/// The end of listening: what the kernel already holds is still taken.
struct Drain {
    /// Frames that the kernel had taken in for us when it began.
    due: u64,
    began: Instant,
    last_frame: Instant,
}

impl Live {
    /// Opens an interface. The source ends when `stop` becomes true, after what came before.
    pub fn open(name: &str, opening: &Opening, stop: Arc<AtomicBool>) -> Result<Self, CaptureError> {
        if let Some(filter) = &opening.filter {
            Programs::new(filter)?;
        }
        let small = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let inactive = Capture::from_device(name).map_err(|error| refuse(name, &error))?;
        let mut handle = inactive
            .promisc(opening.promiscuous)
            .snaplen(small(opening.snap_length))
            .buffer_size(small(opening.buffer_bytes))
            .timeout(RETIRE_MS)
            .precision(Precision::Nano)
            .open()
            .and_then(Capture::setnonblock)
            .map_err(|error| refuse(name, &error))?;
        let link = from_dlt(handle.get_datalink().0);
        if let Some(filter) = &opening.filter {
            handle
                .filter(filter, true)
                .map_err(|error| CaptureError::FilterForLink {
                    filter: filter.clone(),
                    link,
                    cause: complaint(&error),
                })?;
        }
        let interface = Interface {
            name: Some(name.to_owned()),
            link,
            snap_length: opening.snap_length,
            ..Interface::default()
        };
        Ok(Self {
            handle,
            stop,
            link,
            counters: CaptureCounters {
                path: PathBuf::from(name),
                format: Format::Live,
                interfaces: vec![interface],
                ..CaptureCounters::default()
            },
            limits: opening.limits.clone(),
            index: opening.index,
            number: 0,
            received: Wrapping::default(),
            dropped: Wrapping::default(),
            dropped_by_interface: Wrapping::default(),
            losses: Losses::default(),
            ends: opening.duration.and_then(|duration| now().checked_add(duration)),
            drain: None,
        })
    }

    /// Whether nobody wants what arrives from now on.
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.ends.is_some_and(|end| now() >= end)
    }

    /// Whether everything has been taken that the kernel held when listening ended. The kernel hands over what it has gathered
    /// with a delay, and of the loopback interface it counts frames that libpcap does not show: then silence ends it.
    fn is_drained(&mut self) -> bool {
        if self.drain.is_none() {
            self.count_drops();
            self.drain = Some(Drain {
                due: self.received.sum.saturating_sub(self.dropped.sum),
                began: now(),
                last_frame: now(),
            });
        }
        self.drain.as_ref().is_some_and(|drain| {
            self.number >= drain.due
                || drain.last_frame.elapsed() >= SILENCE
                || drain.began.elapsed() >= LONGEST_DRAIN
        })
    }

    /// Adds a frame that libpcap shows; `false` when nothing is there.
    fn take_one(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        let packet = match self.handle.next_packet() {
            Ok(packet) => packet,
            Err(pcap::Error::TimeoutExpired) => return Ok(false),
            Err(error) => {
                return Err(CaptureError::Interface {
                    interface: self.counters.path.display().to_string(),
                    cause: complaint(&error),
                });
            }
        };
        self.number = self.number.wrapping_add(1);
        let seconds = packet.header.ts.tv_sec;
        // The field named after microseconds holds nanoseconds in this precision.
        let nanoseconds = packet.header.ts.tv_usec;
        block.frames.push(FrameHeader {
            at: Timestamp::from_parts(seconds, nanoseconds),
            source: FrameRef {
                capture: self.index,
                number: self.number,
            },
            link: self.link,
            interface: 0,
            offset: u32::try_from(block.bytes.len()).unwrap_or(u32::MAX),
            captured: u32::try_from(packet.data.len()).unwrap_or(0),
            length_on_wire: packet.header.len,
        });
        block.bytes.extend_from_slice(packet.data);
        Ok(true)
    }

    /// Asks the kernel what it dropped.
    fn count_drops(&mut self) {
        let Ok(now) = self.handle.stats() else { return };
        self.received.update(now.received);
        let dropped = self.dropped.update(now.dropped);
        let by_interface = self.dropped_by_interface.update(now.if_dropped);
        self.losses.add("dropped by the kernel", dropped);
        self.losses.add("dropped by the interface", by_interface);
        if let Some(interface) = self.counters.interfaces.first_mut() {
            interface.received = Some(self.received.sum);
            interface.dropped_by_system = Some(self.dropped.sum);
            interface.dropped_by_interface = Some(self.dropped_by_interface.sum);
        }
    }
}

/// Names the reason for which an interface could not be opened.
fn refuse(name: &str, error: &pcap::Error) -> CaptureError {
    let cause = complaint(error);
    let lower = cause.to_ascii_lowercase();
    let existing = Device::list().unwrap_or_default();
    if lower.contains("permi") && !lower.contains("no such device") {
        return CaptureError::Permission(name.to_owned());
    }
    if existing.iter().all(|device| device.name != name) {
        let mut names: Vec<String> = existing.into_iter().map(|device| device.name).collect();
        names.sort();
        return CaptureError::UnknownInterface {
            name: name.to_owned(),
            existing: names.join(", "),
        };
    }
    CaptureError::Interface {
        interface: name.to_owned(),
        cause,
    }
}

/// The clock by which a block is ended; results depend on packet time alone.
#[expect(
    clippy::disallowed_methods,
    reason = "how long we wait for packets is a matter of the wall clock"
)]
fn now() -> Instant {
    Instant::now()
}

impl Source for Live {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        if self.is_over() && self.is_drained() {
            self.count_drops();
            return Ok(false);
        }
        let start = now();
        let room = self
            .limits
            .block_bytes
            .saturating_sub(self.limits.frame_bytes.min(self.limits.block_bytes / 2));
        while block.frames.len() < self.limits.block_frames && block.bytes.len() < room {
            if !self.take_one(block)? {
                if start.elapsed() >= GATHER || self.is_over() && self.is_drained() {
                    break;
                }
                sleep(PAUSE);
            } else if block.frames.len().is_multiple_of(256) && start.elapsed() >= GATHER {
                break;
            }
        }
        if let Some(drain) = &mut self.drain
            && !block.frames.is_empty()
        {
            drain.last_frame = now();
        }
        self.counters.count(&block.frames);
        self.count_drops();
        Ok(true)
    }

    fn progress(&self) -> Progress {
        Progress {
            read: self.counters.bytes,
            total: None,
        }
    }

    fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        Vec::new()
    }

    fn captures(&self) -> Vec<&CaptureCounters> {
        vec![&self.counters]
    }

    fn ends_itself(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn counters_of_the_kernel_that_wrap_are_summed_in_64_bits() {
        let mut counter = Wrapping::default();
        assert_eq!(counter.update(u32::MAX), u64::from(u32::MAX));
        assert_eq!(counter.update(4), 5);
        assert_eq!(counter.sum, (1 << 32) + 4);
    }

    #[test]
    fn an_interface_that_does_not_exist_is_named_with_those_that_do() {
        let stop = Arc::new(AtomicBool::new(false));
        let Err(error) = Live::open("nosuch0", &Opening::default(), stop) else {
            panic!("opened an interface that does not exist");
        };
        if let CaptureError::Permission(name) = error {
            println!("skipped: no permission to look at {name}");
            return;
        }
        let message = error.to_string();
        assert!(
            message.starts_with("nosuch0: no such interface (there are: "),
            "{message}"
        );
    }

    #[test]
    fn datagrams_on_the_loopback_interface_arrive_with_the_time_of_day() {
        let stop = Arc::new(AtomicBool::new(false));
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = receiver.local_addr().unwrap().port();
        let opening = Opening {
            filter: Some(format!("udp dst port {port}")),
            ..Opening::default()
        };
        let mut live = match Live::open("lo", &opening, Arc::clone(&stop)) {
            Ok(live) => live,
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        };
        for number in 0..20_u8 {
            receiver
                .send_to(&[number; 9], receiver.local_addr().unwrap())
                .unwrap();
        }
        let mut block = Block::default();
        let mut last_octets: Vec<u8> = Vec::new();
        // Each call waits for a tenth of a second at most.
        for _ in 0..50 {
            assert!(live.fill(&mut block).unwrap());
            for frame in &block.frames {
                last_octets.extend(block.frame_bytes(frame).last().copied());
                let year_2020 = Timestamp::from_parts(1_577_836_800, 0);
                let year_2100 = Timestamp::from_parts(4_102_444_800, 0);
                assert!((year_2020..year_2100).contains(&frame.at), "{}", frame.at);
            }
            if last_octets.len() >= 20 {
                break;
            }
        }
        assert_eq!(last_octets, (0..20).collect::<Vec<u8>>());
        stop.store(true, Ordering::Relaxed);
        assert!(
            (0..50).any(|_| !live.fill(&mut block).unwrap()),
            "what the kernel holds is taken, and then it ends"
        );
        assert_eq!(live.captures()[0].packets, 20);
    }
}
