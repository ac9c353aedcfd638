//! Names: questions to the router's resolver with their answers (RFC 1035), and announcements on the link (RFC 6762, RFC 6763).

use std::net::Ipv4Addr;

use super::network::{Host, MS, Micros, Network, SECOND, group};

const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
const SRV: u16 = 33;
/// Internet, and in announcements: this is all there is (RFC 6762, 10.2).
const UNIQUE: u16 = 0x8001;

/// Name, type, class, lifetime, data.
type Record<'a> = (&'a str, u16, u16, u32, Vec<u8>);

impl Network {
    /// A machine looks a name up, if it does not remember it; gives the service and when it is known.
    pub(super) fn look_up(
        &mut self,
        at: Micros,
        machine: &Host,
        name: &str,
        one_way: Micros,
    ) -> (Host, Micros) {
        let service = self.service(name, one_way);
        let key = (machine.ip, name.to_owned());
        if self.remembered.get(&key).is_some_and(|until| *until > at) {
            return (service, at);
        }
        let lifetime = match self.random.within(0..=3) {
            0 => 60,
            1 => 120,
            2 => 300,
            _ => 1_800,
        };
        self.remembered.insert(key, at + u64::from(lifetime) * SECOND);
        let id = self.random.short();
        let port = self.port(machine);
        let router = self.router.clone();
        let question = message(id, 0x0100, Some(name), &[]);
        self.datagram(at, [machine, &router], [port, 53], &question);
        // Half of the names are in the resolver's memory already.
        let wait = if self.random.percent(50) {
            self.random.within(200..=900)
        } else {
            self.random.within(9 * MS..=38 * MS)
        };
        let data = service.ip.octets().to_vec();
        let answer = message(id, 0x8180, Some(name), &[(name, A, 1, lifetime, data)]);
        self.datagram(at + wait, [&router, machine], [53, port], &answer);
        (service, at + wait + 2 * machine.one_way + MS)
    }

    /// A machine announces an instance of a service and its own address to everybody on the link.
    pub(super) fn announce(&mut self, at: Micros, machine: &Host, service: &str, port: u16, text: &[&str]) {
        let host = format!("{}.local", machine.name);
        let instance = format!("{}.{service}.local", machine.name);
        let kind = format!("{service}.local");
        let mut place = vec![0, 0, 0, 0];
        place.extend(port.to_be_bytes());
        place.extend(encoded(&host));
        let mut words = Vec::new();
        for word in text {
            words.push(u8::try_from(word.len()).unwrap_or(0));
            words.extend(word.as_bytes());
        }
        let records: [Record<'_>; 4] = [
            (&kind, PTR, 1, 4_500, encoded(&instance)),
            (&instance, SRV, UNIQUE, 120, place),
            (&instance, TXT, UNIQUE, 4_500, words),
            (&host, A, UNIQUE, 120, machine.ip.octets().to_vec()),
        ];
        let announcement = message(0, 0x8400, None, &records);
        let everybody = group(Ipv4Addr::new(224, 0, 0, 251));
        let sender = Host {
            ttl: 255,
            ..machine.clone()
        };
        // Twice, a second apart (RFC 6762, 8.3).
        for repeat in 0..2 {
            self.datagram(
                at + repeat * SECOND,
                [&sender, &everybody],
                [5_353, 5_353],
                &announcement,
            );
        }
    }
}

fn message(id: u16, flags: u16, question: Option<&str>, answers: &[Record<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let counts = [
        u16::from(question.is_some()),
        u16::try_from(answers.len()).unwrap_or(0),
        0,
        0,
    ];
    for field in [id, flags].iter().chain(&counts) {
        bytes.extend(field.to_be_bytes());
    }
    if let Some(name) = question {
        bytes.extend(encoded(name));
        bytes.extend([0, 1, 0, 1]);
    }
    for (name, kind, class, lifetime, data) in answers {
        if question == Some(*name) {
            // A pointer to the question's name.
            bytes.extend([0xc0, 0x0c]);
        } else {
            bytes.extend(encoded(name));
        }
        bytes.extend(kind.to_be_bytes());
        bytes.extend(class.to_be_bytes());
        bytes.extend(lifetime.to_be_bytes());
        bytes.extend(u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
        bytes.extend(data);
    }
    bytes
}

/// Labels with their lengths.
fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::network::{MINUTE, Stack};
    use crate::lab::random::Random;

    #[test]
    fn names_are_labels_with_their_lengths() {
        assert_eq!(encoded("a.example"), b"\x01a\x07example\x00");
    }

    #[test]
    fn a_name_is_asked_for_once_while_its_answer_lives() {
        let mut network = Network::new(0, 90 * MINUTE, Ipv4Addr::new(10, 20, 0, 1), &Random::new(2));
        let machine = network.machine("a-pc", 5, Stack::Windows, MS);
        let (first, known) = network.look_up(SECOND, &machine, "www.example", MS);
        let (second, at_once) = network.look_up(known, &machine, "www.example", MS);
        assert_eq!((first.ip, at_once), (second.ip, known));
        assert_eq!(network.frames().len(), 2);
        // No answer lives longer than half an hour.
        network.look_up(40 * MINUTE, &machine, "www.example", MS);
        assert_eq!(network.frames().len(), 4);
    }
}
