//! How a machine comes onto its network: DHCP (RFC 2131, RFC 2132) with its name and vendor class, then ARP (RFC 826).

use std::net::Ipv4Addr;

use super::frame;
use super::network::{Host, MS, Micros, Network, SECOND, group};

/// What a DHCP client says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client<'a> {
    /// Option 12.
    pub(super) name: &'a str,
    /// Option 60.
    pub(super) vendor_class: &'a str,
    /// Option 55.
    pub(super) parameters: &'a [u8],
}

/// Windows 10 and 11.
pub(super) const WINDOWS: (&str, &[u8]) = (
    "MSFT 5.0",
    &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252],
);
/// Android.
pub(super) const ANDROID: (&str, &[u8]) = ("android-dhcp-14", &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43, 114]);
/// Embedded Linux with busybox.
pub(super) const EMBEDDED: (&str, &[u8]) = ("udhcp 1.31.1", &[1, 3, 6, 12, 15, 28, 42]);
/// Linux with systemd-networkd, which says no vendor class.
pub(super) const NETWORKD: (&str, &[u8]) = ("", &[1, 3, 6, 12, 15, 26, 33, 42, 119, 121]);

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACKNOWLEDGE: u8 = 5;

impl Network {
    /// A machine that was just switched on asks for an address, checks that nobody has it and asks for its gateway.
    /// Gives the time at which it is ready.
    pub(super) fn join(&mut self, at: Micros, machine: &Host, client: Client<'_>) -> Micros {
        let router = self.router.clone();
        let nobody = Host {
            ip: Ipv4Addr::UNSPECIFIED,
            ..machine.clone()
        };
        let everybody = group(Ipv4Addr::BROADCAST);
        let transaction = self.random.word();
        let mut at = at;
        for (kind, answer) in [(DISCOVER, OFFER), (REQUEST, ACKNOWLEDGE)] {
            let asked = dhcp(kind, transaction, machine, &router, client);
            self.datagram(at, [&nobody, &everybody], [68, 67], &asked);
            at += 4 * MS + self.jitter(20 * MS);
            let answered = dhcp(answer, transaction, machine, &router, client);
            self.datagram(at, [&router, machine], [67, 68], &answered);
            at += 2 * MS + 2 * machine.one_way;
        }
        // A probe asks whether somebody has the address already (RFC 5227).
        let probe = arp(1, machine, Ipv4Addr::UNSPECIFIED, [0; 6], machine.ip);
        self.pass(at, frame::ethernet(machine.mac, [0xff; 6], 0x0806, &probe), true);
        at += SECOND;
        let announcement = arp(1, machine, machine.ip, [0; 6], machine.ip);
        self.pass(
            at,
            frame::ethernet(machine.mac, [0xff; 6], 0x0806, &announcement),
            true,
        );
        at += 20 * MS;
        self.resolve(at, machine);
        at + 5 * MS
    }

    /// A machine asks for its gateway's link address and gets it.
    pub(super) fn resolve(&mut self, at: Micros, machine: &Host) {
        let router = self.router.clone();
        let question = arp(1, machine, machine.ip, [0; 6], router.ip);
        self.pass(
            at,
            frame::ethernet(machine.mac, [0xff; 6], 0x0806, &question),
            true,
        );
        let answer = arp(2, &router, router.ip, machine.mac, machine.ip);
        self.pass(
            at + 120,
            frame::ethernet(router.mac, machine.mac, 0x0806, &answer),
            true,
        );
    }
}

fn arp(operation: u8, sender: &Host, own: Ipv4Addr, target_mac: [u8; 6], target: Ipv4Addr) -> Vec<u8> {
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, operation];
    body.extend(sender.mac);
    body.extend(own.octets());
    body.extend(target_mac);
    body.extend(target.octets());
    body
}

fn dhcp(kind: u8, transaction: u32, machine: &Host, router: &Host, client: Client<'_>) -> Vec<u8> {
    let is_answer = matches!(kind, OFFER | ACKNOWLEDGE);
    let nothing = Ipv4Addr::UNSPECIFIED;
    let (given, server) = if is_answer {
        (machine.ip, router.ip)
    } else {
        (nothing, nothing)
    };
    let mut body = vec![if is_answer { 2 } else { 1 }, 1, 6, 0];
    body.extend(transaction.to_be_bytes());
    body.extend([0; 4]);
    for address in [nothing, given, server, nothing] {
        body.extend(address.octets());
    }
    body.extend(machine.mac);
    body.resize(236, 0);
    body.extend([0x63, 0x82, 0x53, 0x63]);
    let mut option = |code: u8, value: &[u8]| {
        body.push(code);
        body.push(u8::try_from(value.len()).unwrap_or(0));
        body.extend(value);
    };
    option(53, &[kind]);
    if is_answer {
        option(54, &router.ip.octets());
        option(51, &86_400_u32.to_be_bytes());
        option(1, &[255, 255, 255, 0]);
        option(3, &router.ip.octets());
        option(6, &router.ip.octets());
    } else {
        let mut identifier = vec![1];
        identifier.extend(machine.mac);
        option(61, &identifier);
        option(50, &machine.ip.octets());
        if kind == REQUEST {
            option(54, &router.ip.octets());
        }
        option(12, client.name.as_bytes());
        if !client.vendor_class.is_empty() {
            option(60, client.vendor_class.as_bytes());
        }
        option(55, client.parameters);
    }
    body.push(255);
    // BOOTP's shortest message (RFC 1542, 2.1).
    body.resize(body.len().max(300), 0);
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::network::{MINUTE, Stack};
    use crate::lab::random::Random;

    #[test]
    fn a_machine_joins_with_four_messages_and_then_asks_for_its_gateway() {
        let router = Ipv4Addr::new(192, 168, 77, 1);
        let mut network = Network::new(0, MINUTE, router, &Random::new(2));
        let machine = network.machine("a-laptop", 21, Stack::Windows, MS);
        let (vendor_class, parameters) = WINDOWS;
        let client = Client {
            name: "a-laptop",
            vendor_class,
            parameters,
        };
        let ready = network.join(SECOND, &machine, client);
        let frames = network.frames();
        // The message type is the first option, behind the fixed part and its cookie.
        let kinds: Vec<u8> = frames.iter().take(4).map(|(_, bytes)| bytes[42 + 242]).collect();
        assert_eq!(kinds, [DISCOVER, OFFER, REQUEST, ACKNOWLEDGE]);
        let arp = frames.iter().filter(|(_, bytes)| bytes[12..14] == [0x08, 0x06]);
        assert_eq!(arp.count(), 4);
        assert!(frames.iter().all(|(at, _)| *at <= ready));
        assert!(frames[0].1.windows(8).any(|window| window == b"a-laptop"));
    }
}
