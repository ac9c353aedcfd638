//! For tests: walks real captures as plainly as can be, flow by flow, and lets the registered dissectors speak.
//!
//! No tunnels, no fragments, no losses: what does not fit is passed over.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails, as it should"
)]

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};

use super::cursor::Cursor;
use super::registry::DISSECTORS;
use super::rehearsal::Rehearsal;
use super::{Dissector, Head, Next, Probe};
use crate::model::fact::{Side, Stamp};
use crate::model::frame::FrameRef;
use crate::model::segment::Layer;

/// The folder of real captures, where there is one.
pub(crate) fn captures() -> Option<PathBuf> {
    let folder = std::env::var_os("FARMHAWK_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

/// Calls `take` with number, link type, bytes and original length of each frame.
fn frames(path: &Path, mut take: impl FnMut(u64, i32, &[u8], u32)) {
    let Ok(mut reader) = create_reader(1 << 20, File::open(path).expect("captures can be read")) else {
        return;
    };
    let mut links = Vec::new();
    let mut number = 0;
    loop {
        match reader.next() {
            Ok((length, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => links = vec![header.network.0],
                    PcapBlockOwned::Legacy(frame) => {
                        number += 1;
                        take(number, links[0], frame.data, frame.origlen);
                    }
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => links.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        links.push(interface.linktype.0);
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(frame)) => {
                        number += 1;
                        let link = links.get(frame.if_id as usize).copied().unwrap_or(-1);
                        take(
                            number,
                            link,
                            frame.data.get(..frame.caplen as usize).unwrap_or(frame.data),
                            frame.origlen,
                        );
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(frame)) => {
                        number += 1;
                        take(
                            number,
                            links.first().copied().unwrap_or(-1),
                            frame.data,
                            frame.origlen,
                        );
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(length);
            }
            Err(PcapError::Incomplete(_)) => {
                if reader.refill().is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

/// A payload with its place.
struct Payload<'a> {
    layer: Layer,
    source: (Vec<u8>, u16),
    destination: (Vec<u8>, u16),
    sequence: u32,
    syn: bool,
    bytes: &'a [u8],
    length_on_wire: u32,
}

fn payload(link: i32, frame: &[u8]) -> Option<Payload<'_>> {
    let mut cursor = Cursor::new(frame);
    let mut ether_type = match link {
        1 => {
            cursor.skip(12)?;
            cursor.u16()?
        }
        113 => {
            cursor.skip(14)?;
            cursor.u16()?
        }
        276 => {
            let kind = cursor.u16()?;
            cursor.skip(18)?;
            kind
        }
        0 => {
            cursor.skip(4)?;
            0
        }
        12 | 14 | 101 | 228 | 229 => 0,
        _ => return None,
    };
    while matches!(ether_type, 0x8100 | 0x88a8 | 0x9100) {
        cursor.skip(2)?;
        ether_type = cursor.u16()?;
    }
    if ether_type != 0 && ether_type < 1_500 && cursor.rest().starts_with(b"\xaa\xaa\x03\0\0\x0c") {
        cursor.skip(6)?;
        ether_type = cursor.u16()?;
    }
    match (ether_type, cursor.peek()? >> 4) {
        (0 | 0x0800, 4) | (0 | 0x86dd, 6) => network(cursor),
        (0, _) => None,
        _ => Some(Payload {
            layer: Layer::Link,
            source: (Vec::new(), 0),
            destination: (Vec::new(), ether_type),
            sequence: 0,
            syn: false,
            bytes: cursor.rest(),
            length_on_wire: u32::try_from(cursor.remaining()).ok()?,
        }),
    }
}

fn network(mut cursor: Cursor<'_>) -> Option<Payload<'_>> {
    let first = cursor.u8()?;
    let (protocol, mut length, source, destination);
    if first >> 4 == 4 {
        cursor.skip(1)?;
        length = usize::from(cursor.u16()?).checked_sub(usize::from(first & 15) * 4)?;
        cursor.skip(2)?;
        if cursor.u16()? & 0x3fff != 0 {
            return None;
        }
        cursor.skip(1)?;
        protocol = cursor.u8()?;
        cursor.skip(2)?;
        source = cursor.take(4)?.to_vec();
        destination = cursor.take(4)?.to_vec();
        cursor.skip((usize::from(first & 15) * 4).checked_sub(20)?)?;
    } else {
        cursor.skip(3)?;
        length = usize::from(cursor.u16()?);
        let mut next = cursor.u8()?;
        cursor.skip(1)?;
        source = cursor.take(16)?.to_vec();
        destination = cursor.take(16)?.to_vec();
        while matches!(next, 0 | 60) {
            next = cursor.u8()?;
            let more = usize::from(cursor.u8()?) * 8 + 6;
            cursor.skip(more)?;
            length = length.checked_sub(more + 2)?;
        }
        protocol = next;
    }
    let mut cursor = Cursor::new(cursor.take_up_to(length));
    let (layer, source_port, destination_port, header, mut sequence, mut syn) = match protocol {
        6 => (Layer::Tcp, cursor.u16()?, cursor.u16()?, 20, 0, false),
        17 => (Layer::Udp, cursor.u16()?, cursor.u16()?, 8, 0, false),
        58 => {
            let [kind, code] = cursor.array()?;
            (Layer::Icmpv6, u16::from(kind), u16::from(code), 4, 0, false)
        }
        _ => return None,
    };
    let mut header = header;
    if layer == Layer::Tcp {
        sequence = cursor.u32()?;
        cursor.skip(4)?;
        header = usize::from(cursor.u8()? >> 4) * 4;
        syn = cursor.u8()? & 2 != 0;
        cursor.skip(header.checked_sub(14)?)?;
    } else {
        cursor.skip(header - cursor.position())?;
    }
    Some(Payload {
        layer,
        source: (source, source_port),
        destination: (destination, destination_port),
        sequence,
        syn,
        bytes: cursor.rest(),
        length_on_wire: u32::try_from(length.checked_sub(header)?).ok()?,
    })
}

/// One flow: who opened it, its streams so far, who speaks.
struct Flow {
    client: (Vec<u8>, u16),
    next_sequence: [Option<u32>; 2],
    streams: [Vec<u8>; 2],
    ahead: [BTreeMap<u32, Vec<u8>>; 2],
    speaker: Option<(&'static dyn Dissector, Rehearsal)>,
    finished: bool,
}

/// What was recognised and said in a capture.
#[derive(Default)]
pub(crate) struct Account {
    /// Frame and protocol of every recognition.
    pub(crate) recognised: Vec<(u64, &'static str)>,
    /// Frame and `field=value` of every fact.
    pub(crate) said: Vec<(u64, String)>,
}

/// Walks a capture.
pub(crate) fn walk(path: &Path) -> Account {
    let mut flows: HashMap<_, Flow> = HashMap::new();
    let mut account = Account::default();
    frames(path, |number, link, frame, _| {
        let Some(payload) = payload(link, frame) else {
            return;
        };
        let (low, high) = if payload.source < payload.destination {
            (payload.source.clone(), payload.destination.clone())
        } else {
            (payload.destination.clone(), payload.source.clone())
        };
        let flow = flows.entry((payload.layer, low, high)).or_insert_with(|| Flow {
            client: payload.source.clone(),
            next_sequence: [None; 2],
            streams: [Vec::new(), Vec::new()],
            ahead: [BTreeMap::new(), BTreeMap::new()],
            speaker: None,
            finished: false,
        });
        let side = if payload.source == flow.client {
            Side::Client
        } else {
            Side::Server
        };
        let stamp = Stamp {
            source: FrameRef { capture: 0, number },
            side,
            ..Stamp::default()
        };
        if payload.layer == Layer::Tcp {
            flow.segment(stamp, &payload, &mut account);
        } else if !payload.bytes.is_empty() {
            flow.datagram(stamp, &payload, &mut account);
        }
    });
    account
}

impl Flow {
    fn datagram(&mut self, stamp: Stamp, payload: &Payload<'_>, account: &mut Account) {
        if self.speaker.is_none() {
            let is_client = stamp.side == Side::Client;
            let head = Head {
                layer: payload.layer,
                protocol: 0,
                client_port: if payload.layer == Layer::Icmpv6 {
                    payload.source.1
                } else {
                    self.client.1
                },
                server_port: if is_client {
                    payload.destination.1
                } else {
                    payload.source.1
                },
                side: stamp.side,
                to_server: if is_client { payload.bytes } else { &[] },
                to_client: if is_client { &[] } else { payload.bytes },
                length_on_wire: payload.length_on_wire,
                earlier: &[],
            };
            self.speaker = recognise(&head, stamp, account);
        }
        if let Some((_, rehearsal)) = &mut self.speaker {
            rehearsal.datagram(stamp, payload.bytes, payload.length_on_wire);
            account.take(stamp, rehearsal);
        }
    }

    fn segment(&mut self, stamp: Stamp, payload: &Payload<'_>, account: &mut Account) {
        let index = stamp.side.index();
        if payload.syn {
            self.next_sequence[index] = Some(payload.sequence.wrapping_add(1));
            return;
        }
        if payload.bytes.is_empty() || self.finished {
            return;
        }
        let expected = *self.next_sequence[index].get_or_insert(payload.sequence);
        let ahead = payload.sequence.wrapping_sub(expected);
        if ahead < 1 << 20 {
            self.ahead[index].insert(ahead.wrapping_add(expected), payload.bytes.to_vec());
        }
        while let Some(bytes) = self.ahead[index].remove(&self.next_sequence[index].unwrap_or(0)) {
            let length = u32::try_from(bytes.len()).expect("segments are small");
            self.next_sequence[index] = self.next_sequence[index].map(|next| next.wrapping_add(length));
            self.bytes(stamp, &bytes, payload, account);
        }
    }

    fn bytes(&mut self, stamp: Stamp, bytes: &[u8], payload: &Payload<'_>, account: &mut Account) {
        if self.finished {
            return;
        }
        let fresh = self.speaker.is_none();
        if fresh {
            self.streams[stamp.side.index()].extend_from_slice(bytes);
            let is_client = stamp.side == Side::Client;
            let [to_server, to_client] = &self.streams;
            let head = Head {
                layer: Layer::Tcp,
                protocol: 6,
                client_port: self.client.1,
                server_port: if is_client {
                    payload.destination.1
                } else {
                    payload.source.1
                },
                side: stamp.side,
                to_server,
                to_client,
                length_on_wire: payload.length_on_wire,
                earlier: &[],
            };
            self.speaker = recognise(&head, stamp, account);
            self.finished = self.streams.iter().any(|stream| stream.len() > 64 << 10);
        }
        let Some((_, rehearsal)) = &mut self.speaker else {
            return;
        };
        let sides = if fresh {
            vec![Side::Client, Side::Server]
        } else {
            vec![stamp.side]
        };
        let mut last = Next::More(0);
        for side in sides {
            let bytes = if fresh {
                std::mem::take(&mut self.streams[side.index()])
            } else {
                bytes.to_vec()
            };
            if !bytes.is_empty() && matches!(last, Next::More(_)) {
                last = rehearsal.stream(Stamp { side, ..stamp }, &bytes, false);
            }
        }
        account.take(stamp, rehearsal);
        let become_known = |name| DISSECTORS.iter().find(|dissector| dissector.name() == name);
        match last {
            Next::More(_) | Next::Release => {}
            Next::Become(name, _) if become_known(name).is_some() => {
                let dissector = *become_known(name).expect("just found");
                account.recognised.push((stamp.source.number, name));
                self.speaker = Some((dissector, Rehearsal::of(dissector)));
            }
            Next::Become(..) => self.speaker = None,
            Next::Done | Next::Reject => self.finished = true,
        }
    }
}

fn recognise(
    head: &Head<'_>,
    stamp: Stamp,
    account: &mut Account,
) -> Option<(&'static dyn Dissector, Rehearsal)> {
    let dissector = DISSECTORS
        .iter()
        .filter(|dissector| dissector.layers().contains(&head.layer))
        .find(|dissector| dissector.probe(head) == Probe::Yes)?;
    account.recognised.push((stamp.source.number, dissector.name()));
    Some((*dissector, Rehearsal::of(*dissector)))
}

impl Account {
    fn take(&mut self, stamp: Stamp, rehearsal: &mut Rehearsal) {
        let facts = rehearsal.said.drain(..);
        self.said.extend(facts.map(|fact| (stamp.source.number, fact)));
    }
}
