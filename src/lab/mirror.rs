//! What a mirror port makes of what passed: frames in VLANs and tunnels, frames twice, floods, several lines in one capture, one
//! line seen behind its address translation.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::frame::{self, Ipv4Header, TCP, TcpHeader, UDP};
use super::network::{Micros, Network, Passed};
use super::random::Random;

/// How a mirror port hands frames on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// With a VLAN tag (IEEE 802.1Q).
    Vlan,
    /// In GRE to a collector, type II (draft-foschiano-erspan-03).
    Erspan,
    /// In VXLAN to a collector (RFC 7348).
    Vxlan,
    /// Twice, as both sides of a switch see them.
    Twice,
}

const VXLAN: u16 = 4_789;
const GRE: u8 = 47;
const SWITCH: Ipv4Addr = Ipv4Addr::new(172, 31, 250, 1);
const COLLECTOR: Ipv4Addr = Ipv4Addr::new(172, 31, 250, 2);

impl Network {
    /// Hands every frame on like this.
    pub(super) fn wrap(&mut self, wrapping: Wrapping) {
        if wrapping == Wrapping::Twice {
            let copies: Vec<Passed> = (self.passed.iter())
                .map(|one| Passed {
                    // The other port of the switch, a few microseconds later.
                    at: one.at + 4,
                    order: one.order,
                    bytes: one.bytes.clone(),
                    length_on_wire: one.length_on_wire,
                })
                .collect();
            self.passed.extend(copies);
            return;
        }
        for (number, passed) in self.passed.iter_mut().enumerate() {
            let before = passed.bytes.len();
            let body = std::mem::take(&mut passed.bytes);
            passed.bytes = match wrapping {
                Wrapping::Vlan | Wrapping::Twice => tagged(&body),
                Wrapping::Erspan => erspan(&body, passed.length_on_wire, number),
                Wrapping::Vxlan => vxlan(&body, passed.length_on_wire),
            };
            let more = u32::try_from(passed.bytes.len() - before).unwrap_or(0);
            passed.length_on_wire += more;
        }
    }

    /// Somebody floods a machine with first packets from addresses that nobody has, so many in this span.
    pub(super) fn flood(
        &mut self,
        (from, to): (Micros, Micros),
        many: u64,
        target: Ipv4Addr,
        random: &Random,
    ) {
        let mut random = random.fork("flood");
        let host = self.machine("target", target.octets()[3], super::network::Stack::Linux, 100);
        for _ in 0..many {
            let at = random.within(from..=to);
            // Benchmarking addresses (RFC 2544): 131072 of them.
            let [low, high] = random.short().to_be_bytes();
            let source = Ipv4Addr::new(198, 18 + low % 2, high, random.array::<1>()[0]);
            let header = TcpHeader {
                ports: [1_024 + random.short() % 60_000, 443],
                sequence: random.word(),
                acknowledgement: 0,
                flags: 2,
                window: 1_024,
                options: &[],
            };
            let body = frame::tcp([source, target], header, &[]);
            let packet = frame::ipv4(
                Ipv4Header {
                    source,
                    destination: target,
                    protocol: TCP,
                    id: random.short(),
                    ttl: 50,
                },
                &body,
            );
            let bytes = frame::ethernet(self.router.mac, host.mac, 0x0800, &packet);
            self.pass(at, bytes, true);
        }
    }

    /// Another line's frames come into the same capture.
    pub(super) fn absorb(&mut self, other: Self) {
        let after = self.passed.len();
        self.end = self.end.max(other.end);
        self.passed.extend(other.passed.into_iter().map(|one| Passed {
            order: one.order + after,
            ..one
        }));
    }

    /// The line is seen outside its router: only what leaves the house, from one address and one link address (RFC 3022).
    pub(super) fn translate(&mut self, public: Ipv4Addr) {
        let [a, b, c, _] = self.router.ip.octets();
        let is_inside = |ip: [u8; 4]| ip[..3] == [a, b, c];
        let mut ports: BTreeMap<(u8, [u8; 4], u16), u16> = BTreeMap::new();
        let mut next: u16 = 10_000;
        self.passed.sort_by_key(|passed| (passed.at, passed.order));
        let provider = [0x02, 0, 0x5e, 0x10, 0, 1];
        let own = self.router.mac;
        self.passed.retain_mut(|passed| {
            let Some((source, target, protocol)) = ends(&passed.bytes) else {
                return false;
            };
            let is_out = is_inside(source) && !is_inside(target) && !is_group(target);
            let is_in = is_inside(target) && !is_inside(source) && !is_group(source);
            if !(is_out || is_in) || !matches!(protocol, TCP | UDP) {
                return false;
            }
            let (machine, ip_at, port_at) = if is_out {
                (source, 26, 34)
            } else {
                (target, 30, 36)
            };
            let Some(&[high, low]) = passed.bytes.get(port_at..port_at + 2) else {
                return false;
            };
            let port = ports
                .entry((protocol, machine, u16::from_be_bytes([high, low])))
                .or_insert_with(|| {
                    next = next.checked_add(1).unwrap_or(10_000);
                    next
                });
            let port = *port;
            let sum_at = 34 + if protocol == TCP { 16 } else { 6 };
            let address = public.octets();
            replace(&mut passed.bytes, ip_at, &address, &[24, sum_at]);
            replace(&mut passed.bytes, port_at, &port.to_be_bytes(), &[sum_at]);
            let [to, from] = if is_out { [provider, own] } else { [own, provider] };
            if let Some(field) = passed.bytes.get_mut(..12) {
                field.copy_from_slice(&[to, from].concat());
            }
            true
        });
    }
}

/// Source, destination and protocol of an untagged IPv4 frame.
fn ends(bytes: &[u8]) -> Option<([u8; 4], [u8; 4], u8)> {
    if bytes.get(12..15)? != [8, 0, 0x45] {
        return None;
    }
    let source = bytes.get(26..30)?.first_chunk().copied()?;
    let target = bytes.get(30..34)?.first_chunk().copied()?;
    Some((source, target, *bytes.get(23)?))
}

fn is_group([first, ..]: [u8; 4]) -> bool {
    first >= 224
}

/// Replaces words at a place, and mends the checksums at these places by the difference (RFC 1624).
fn replace(bytes: &mut [u8], place: usize, new: &[u8], sums: &[usize]) {
    for (step, word) in new.chunks_exact(2).enumerate() {
        let at = place + 2 * step;
        let read = |bytes: &[u8], at: usize| {
            let pair = bytes.get(at..at + 2).and_then(|pair| pair.first_chunk());
            pair.map_or(0, |pair| u32::from(u16::from_be_bytes(*pair)))
        };
        let (old, fresh) = (read(bytes, at), read(word, 0));
        for sum_at in sums {
            let mut sum = (!read(bytes, *sum_at) & 0xffff) + (!old & 0xffff) + fresh;
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            let sum = !u16::try_from(sum).unwrap_or(0);
            if let Some(field) = bytes.get_mut(*sum_at..*sum_at + 2) {
                field.copy_from_slice(&sum.to_be_bytes());
            }
        }
        if let Some(field) = bytes.get_mut(at..at + 2) {
            field.copy_from_slice(word);
        }
    }
}

fn tagged(frame: &[u8]) -> Vec<u8> {
    let (addresses, rest) = frame.split_at_checked(12).unwrap_or((frame, &[]));
    [addresses, &[0x81, 0x00, 0x00, 0x2a], rest].concat()
}

fn outer(protocol: u8, body: &[u8], missing: usize) -> Vec<u8> {
    let header = Ipv4Header {
        source: SWITCH,
        destination: COLLECTOR,
        protocol,
        id: 0,
        ttl: 255,
    };
    // The header counts what the snap length cut off, too.
    let whole = [body, &vec![0; missing]].concat();
    let mut packet = frame::ipv4(header, &whole);
    packet.truncate(20 + body.len());
    let mac = |last| [0x02, 0, 0x5e, 0x11, 0, last];
    let mut frame = frame::ethernet(mac(1), mac(2), 0x0800, &packet);
    frame.truncate((14 + packet.len()).max(60));
    frame
}

fn cut_off(frame: &[u8], on_wire: u32) -> usize {
    usize::try_from(on_wire).unwrap_or(0).saturating_sub(frame.len())
}

fn erspan(frame: &[u8], on_wire: u32, number: usize) -> Vec<u8> {
    let sequence = u32::try_from(number).unwrap_or(0).to_be_bytes();
    let gre = [0x10, 0x00, 0x88, 0xbe];
    // Version 1, VLAN 42, session 7.
    let session = [0x10, 0x2a, 0x00, 0x07, 0, 0, 0, 0];
    let body = [&gre[..], &sequence, &session, frame].concat();
    outer(GRE, &body, cut_off(frame, on_wire))
}

fn vxlan(frame: &[u8], on_wire: u32) -> Vec<u8> {
    let header = [0x08, 0, 0, 0, 0, 0, 42, 0];
    let payload = [&header[..], frame].concat();
    let missing = cut_off(frame, on_wire);
    let whole = [&payload[..], &vec![0; missing]].concat();
    let mut body = frame::udp([SWITCH, COLLECTOR], [50_000, VXLAN], &whole);
    // No checksum, as collectors get it (RFC 7348, 5).
    if let Some(sum) = body.get_mut(6..8) {
        sum.copy_from_slice(&[0, 0]);
    }
    body.truncate(8 + payload.len());
    outer(UDP, &body, missing)
}
