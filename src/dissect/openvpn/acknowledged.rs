//! Round trips in the control channel of OpenVPN over UDP: which packet acknowledges which, and how long after it.
//!
//! Every control packet is acknowledged as soon as it has come, by its number, either alone or in front of what is sent back ("OpenVPN Wire
//! Protocol", reliability layer). The answer to the first packet waits until the server has made a session; those to the later ones do not,
//! and there are enough of them in a handshake that one which had to wait decides nothing. Of a packet that is sent twice it is not
//! known which copy is acknowledged (Karn's rule).
//!
//! Under tls-crypt the acknowledgements are encrypted. There the first packet that either side sends behind the server's reset answers the
//! only one that is under way: the server's reset, and the first piece of the client's hello.
//!
//! Renegotiations are not followed: an hour later the dissection has long let the flow go, and following it would cost every packet of the
//! tunnel.

use super::control::{self, Acknowledging};
use super::reset::{Protection, SERVER_RESET_V1, SERVER_RESET_V2};
use super::{ACKNOWLEDGEMENT, CONTROL, WRAPPED_CONTROL};
use crate::model::fact::Side;
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Packets whose acknowledgement is awaited, for one side: OpenVPN lets at most this many be under way.
const AWAITED: usize = 12;

/// Longer than this no acknowledgement is awaited.
const LONGEST: Nanoseconds = 10 * SECOND;

/// A packet under way.
#[derive(Clone, Copy, Debug)]
struct Sent {
    key: u8,
    number: u32,
    at: Timestamp,
    is_repeated: bool,
}

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    awaited: [Vec<Sent>; 2],
    /// Under tls-crypt: whose packet is alone under way.
    alone: Option<(Side, Timestamp)>,
}

impl Acknowledged {
    /// Takes a control packet from behind its session on; gives the round trip that it ends.
    pub(super) fn packet(
        &mut self,
        protection: Protection,
        first: u8,
        behind_session: &[u8],
        side: Side,
        at: Timestamp,
    ) -> Option<Nanoseconds> {
        let span = if protection == Protection::TlsCrypt {
            self.hidden(first >> 3, side, at)?
        } else {
            let packet = control::acknowledging(protection, first >> 3 != ACKNOWLEDGEMENT, behind_session)?;
            self.readable(&packet, first & 7, side, at)?
        };
        (0..LONGEST).contains(&span).then_some(span)
    }

    fn readable(
        &mut self,
        packet: &Acknowledging,
        key: u8,
        side: Side,
        at: Timestamp,
    ) -> Option<Nanoseconds> {
        let [client, server] = &mut self.awaited;
        let (own, other) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        // The latest that it acknowledges is the one that caused it.
        let answered = other
            .iter()
            .filter(|sent| sent.key == key && packet.acknowledges(sent.number))
            .max_by_key(|sent| sent.at)
            .copied();
        other.retain(|sent| sent.key != key || !packet.acknowledges(sent.number));
        if let Some(number) = packet.number {
            if let Some(before) = own
                .iter_mut()
                .find(|sent| (sent.key, sent.number) == (key, number))
            {
                before.is_repeated = true;
            } else if own.len() < AWAITED {
                own.push(Sent {
                    key,
                    number,
                    at,
                    is_repeated: false,
                });
            }
        }
        answered
            .filter(|sent| !sent.is_repeated)
            .map(|sent| at.since(sent.at))
    }

    fn hidden(&mut self, opcode: u8, side: Side, at: Timestamp) -> Option<Nanoseconds> {
        if matches!(opcode, SERVER_RESET_V1 | SERVER_RESET_V2) {
            // A second copy leaves open which one is answered.
            self.alone = self.alone.is_none().then_some((side, at));
            return None;
        }
        let (from, since) = self.alone?;
        if from == side || !matches!(opcode, CONTROL | ACKNOWLEDGEMENT | WRAPPED_CONTROL) {
            return None;
        }
        self.alone = (side == Side::Client && opcode != ACKNOWLEDGEMENT).then_some((side, at));
        Some(at.since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::super::reset::CLIENT_RESET_V2;
    use super::*;
    use Side::{Client, Server};

    const MILLISECOND: i64 = 1_000_000;

    /// A control packet behind its session: what it acknowledges, and its number.
    fn packet(acknowledged: &[u32], number: Option<u32>) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(acknowledged.len()).unwrap()];
        for one in acknowledged {
            bytes.extend(one.to_be_bytes());
        }
        if !acknowledged.is_empty() {
            bytes.extend([7; 8]);
        }
        if let Some(number) = number {
            bytes.extend(number.to_be_bytes());
        }
        bytes
    }

    /// Side, millisecond, opcode, acknowledged numbers, own number.
    type Step = (Side, i64, u8, &'static [u32], Option<u32>);

    /// Feeds control packets; gives the round trips in milliseconds.
    fn spans(steps: &[Step]) -> Vec<i64> {
        let mut acknowledged = Acknowledged::default();
        let mut take = |&(side, at, opcode, list, number): &Step| {
            let at = Timestamp(at * MILLISECOND);
            let bytes = packet(list, number);
            acknowledged.packet(Protection::Plain, opcode << 3, &bytes, side, at)
        };
        steps
            .iter()
            .filter_map(|step| Some(take(step)? / MILLISECOND))
            .collect()
    }

    #[test]
    fn every_packet_of_a_handshake_is_measured_from_the_one_that_it_acknowledges() {
        let handshake: &[Step] = &[
            (Client, 0, CLIENT_RESET_V2, &[], Some(0)),
            (Server, 27, SERVER_RESET_V2, &[0], Some(0)),
            (Client, 28, CONTROL, &[0], Some(1)),
            (Server, 49, CONTROL, &[1], Some(1)),
            (Server, 50, CONTROL, &[], Some(2)),
            (Client, 52, ACKNOWLEDGEMENT, &[1, 2], None),
        ];
        assert_eq!(spans(handshake), [27, 1, 21, 2]);
    }

    #[test]
    fn what_was_sent_twice_is_not_measured() {
        let again: &[Step] = &[
            (Client, 0, CONTROL, &[], Some(4)),
            (Client, 2_000, CONTROL, &[], Some(4)),
            (Server, 2_010, ACKNOWLEDGEMENT, &[4], None),
            (Server, 2_011, ACKNOWLEDGEMENT, &[4], None),
        ];
        assert!(spans(again).is_empty());
    }

    #[test]
    fn under_tls_crypt_only_the_lone_packets_behind_the_reset_are_measured() {
        let mut acknowledged = Acknowledged::default();
        let mut take = |side, at: i64, opcode: u8| {
            let at = Timestamp(at * MILLISECOND);
            acknowledged.packet(Protection::TlsCrypt, opcode << 3, &[0xd1; 60], side, at)
        };
        assert_eq!(take(Server, 10, SERVER_RESET_V2), None);
        assert_eq!(take(Client, 11, CONTROL), Some(MILLISECOND));
        // The hello has a second piece, which its first one's answer does not wait for.
        assert_eq!(take(Client, 12, CONTROL), None);
        assert_eq!(take(Server, 31, ACKNOWLEDGEMENT), Some(20 * MILLISECOND));
        assert_eq!(take(Server, 32, CONTROL), None);
        assert_eq!(take(Client, 33, CONTROL), None);
    }

    proptest::proptest! {
        #[test]
        fn anything_at_all_is_taken(steps in proptest::collection::vec((0i64..1 << 40, proptest::num::u8::ANY, proptest::collection::vec(proptest::num::u8::ANY, 0..60), proptest::bool::ANY, 0u8..3), 0..60)) {
            let mut acknowledged = Acknowledged::default();
            for (at, first, bytes, is_client, protection) in steps {
                let side = if is_client { Client } else { Server };
                let protection = [Protection::Plain, Protection::TlsAuth(20), Protection::TlsCrypt][usize::from(protection)];
                let span = acknowledged.packet(protection, first, &bytes, side, Timestamp(at));
                proptest::prop_assert!(span.is_none_or(|span| (0..LONGEST).contains(&span)));
            }
            proptest::prop_assert!(acknowledged.awaited.iter().all(|list| list.len() <= AWAITED));
        }
    }
}
