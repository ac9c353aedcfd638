//! What the answers of a DNS response say about names and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::message::{Item, Message, Section, kind};
use super::name::{self, Case, Name};
use super::{ANSWER, CNAME, ECH, PTR};
use crate::dissect::cursor::{Cursor, ip_address};
use crate::model::fact::{Facts, Field};

/// Aliases of one response that are remembered to lead an address back to the name asked for.
const MOST_ALIASES: usize = 16;

/// Service parameters (RFC 9460, 14.3.2).
mod parameter {
    pub(super) const IPV4_HINT: u16 = 4;
    pub(super) const ECH: u16 = 5;
    pub(super) const IPV6_HINT: u16 = 6;
}

/// The address of an A or AAAA record.
pub(crate) fn address(item: &Item<'_>) -> Option<IpAddr> {
    let is_v4 = match item.kind {
        kind::A => true,
        kind::AAAA => false,
        _ => return None,
    };
    ip_address(item.data).filter(|ip| ip.is_ipv4() == is_v4)
}

/// Says the answer section.
pub(super) fn say_answers(message: &Message<'_>, facts: &mut Facts<'_>) {
    let [_, count, ..] = message.header.counts;
    if count == 0 {
        return;
    }
    let mut aliases = Aliases::default();
    let mut items = message.items();
    // Behind the question and the aliases that stand first.
    let mut others = None;
    loop {
        let here = items.clone();
        match items.next() {
            Some(item) if item.section == Section::Question => {}
            Some(item) if item.section == Section::Answer => {
                if item.kind != kind::CNAME {
                    others.get_or_insert(here);
                } else if let Some(target) = Name::read(message.bytes, item.data_at, Case::Lower) {
                    facts.text(&CNAME, target.text());
                    aliases.remember(&item);
                }
            }
            Some(_) | None => break,
        }
    }
    let others = others.into_iter().flatten();
    for item in others.take_while(|item| item.section == Section::Answer) {
        match item.kind {
            kind::A | kind::AAAA => {
                if let Some(address) = address(&item) {
                    let (name_at, lifetime) = aliases.asked_for(message, &item);
                    say(&ANSWER, message, name_at, address, lifetime, facts);
                }
            }
            kind::PTR => say_reverse(message, &item, &aliases, facts),
            kind::HTTPS | kind::SVCB => say_binding(message, &item, &aliases, facts),
            _ => {}
        }
    }
}

fn say(
    field: &Field,
    message: &Message<'_>,
    name_at: usize,
    address: IpAddr,
    lifetime: u32,
    facts: &mut Facts<'_>,
) {
    if let Some(name) = Name::read(message.bytes, name_at, Case::Lower) {
        facts.answer(field, name.text(), address, lifetime);
    }
}

fn say_reverse(message: &Message<'_>, item: &Item<'_>, aliases: &Aliases, facts: &mut Facts<'_>) {
    // A delegated range answers through an alias (RFC 2317); the address stands in the name asked for.
    let (name_at, lifetime) = aliases.asked_for(message, item);
    if let Some(address) = reversed_address(message.bytes, name_at) {
        say(&PTR, message, item.data_at, address, lifetime, facts);
    }
}

/// Address hints and the presence of a configuration for encrypted client hellos (RFC 9460, 2.2).
fn say_binding(message: &Message<'_>, item: &Item<'_>, aliases: &Aliases, facts: &mut Facts<'_>) {
    let (name_at, lifetime) = aliases.asked_for(message, item);
    let Some(target_after) = name::skip(message.bytes, item.data_at.saturating_add(2)) else {
        return;
    };
    let before = target_after.saturating_sub(item.data_at);
    let mut cursor = Cursor::new(item.data.get(before..).unwrap_or_default());
    while let (Some(key), Some(value)) = (cursor.u16(), cursor.prefixed_u16()) {
        match key {
            parameter::IPV4_HINT => {
                for octets in value.as_chunks::<4>().0 {
                    say(
                        &ANSWER,
                        message,
                        name_at,
                        Ipv4Addr::from(*octets).into(),
                        lifetime,
                        facts,
                    );
                }
            }
            parameter::IPV6_HINT => {
                for octets in value.as_chunks::<16>().0 {
                    say(
                        &ANSWER,
                        message,
                        name_at,
                        Ipv6Addr::from(*octets).into(),
                        lifetime,
                        facts,
                    );
                }
            }
            parameter::ECH => {
                if let Some(name) = Name::read(message.bytes, name_at, Case::Lower) {
                    facts.text(&ECH, name.text());
                }
            }
            _ => {}
        }
    }
}

/// The address that a name below in-addr.arpa (RFC 1035, 3.5) or ip6.arpa (RFC 3596, 2.5) stands for.
pub(crate) fn reversed_address(message: &[u8], name_at: usize) -> Option<IpAddr> {
    let (labels, count) = name::labels::<34>(message, name_at)?;
    let labels = labels.get(..count)?;
    let (digits, [zone, arpa]) = labels.split_last_chunk::<2>()?;
    if !arpa.eq_ignore_ascii_case(b"arpa") {
        return None;
    }
    if zone.eq_ignore_ascii_case(b"in-addr") && digits.len() == 4 {
        let mut octets = [0_u8; 4];
        for (octet, digits) in octets.iter_mut().rev().zip(digits) {
            *octet = std::str::from_utf8(digits).ok()?.parse().ok()?;
        }
        return Some(Ipv4Addr::from(octets).into());
    }
    if zone.eq_ignore_ascii_case(b"ip6") && digits.len() == 32 {
        let mut value: u128 = 0;
        for digit in digits.iter().rev() {
            let &[digit] = *digit else {
                return None;
            };
            value = value << 4 | u128::from(char::from(digit).to_digit(16)?);
        }
        return Some(Ipv6Addr::from(value).into());
    }
    None
}

/// One alias: who it is, whom it leads to, for how long.
#[derive(Clone, Copy, Debug, Default)]
struct Alias {
    name_at: usize,
    target_at: usize,
    lifetime: u32,
}

/// The aliases of one response, by position.
#[derive(Debug, Default)]
struct Aliases {
    aliases: [Alias; MOST_ALIASES],
    count: usize,
}

impl Aliases {
    fn remember(&mut self, item: &Item<'_>) {
        if let Some(place) = self.aliases.get_mut(self.count) {
            *place = Alias {
                name_at: item.name_at,
                target_at: item.data_at,
                lifetime: item.lifetime,
            };
            self.count = self.count.saturating_add(1);
        }
    }

    /// Goes back along the aliases that lead to the record: where the first name stands, and the lowest lifetime.
    fn asked_for(&self, message: &Message<'_>, item: &Item<'_>) -> (usize, u32) {
        let mut name_at = item.name_at;
        let mut lifetime = item.lifetime;
        let known = self.aliases.get(..self.count).unwrap_or_default();
        // As many steps as there are aliases: a circle ends there too.
        for _ in known {
            let Some(alias) = known
                .iter()
                .find(|alias| name::same(message.bytes, alias.target_at, name_at))
            else {
                break;
            };
            name_at = alias.name_at;
            lifetime = lifetime.min(alias.lifetime);
        }
        (name_at, lifetime)
    }
}

#[cfg(test)]
mod tests {
    use crate::dissect::dns::Dns;
    use crate::dissect::rehearsal::said;
    use crate::model::fact::Side::Server;

    #[test]
    fn a_reverse_answer_gives_the_address_in_the_question_its_name() {
        let v4 =
            b"\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x017\x012\x010\x03192\x07in-addr\x04arpa\x00\
            \x00\x0c\x00\x01\xc0\x0c\x00\x0c\x00\x01\x00\x00\x00\x78\x00\x06\x04Host\x00";
        assert_eq!(said(&Dns, &[(Server, v4)])[3], "dns.ptr=host 192.0.2.7 120");
    }

    #[test]
    fn an_ip6_name_is_read_from_its_last_digit() {
        let mut message = b"\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00".to_vec();
        for digit in "20010db8000000000000000000000001".bytes().rev() {
            message.extend([1, digit]);
        }
        message.extend(b"\x03ip6\x04arpa\x00\x00\x0c\x00\x01");
        message.extend(b"\xc0\x0c\x00\x0c\x00\x01\x00\x00\x00\x78\x00\x06\x04host\x00");
        assert_eq!(
            said(&Dns, &[(Server, &message)])[3],
            "dns.ptr=host 2001:db8::1 120"
        );
    }

    #[test]
    fn a_service_binding_gives_its_address_hints_and_says_that_hellos_may_be_encrypted() {
        let message = b"\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x01a\x07example\x00\x00\x41\x00\x01\
            \xc0\x0c\x00\x41\x00\x01\x00\x00\x01\x2c\x00\x1e\x00\x01\x00\
            \x00\x01\x00\x03\x02h2\x00\x04\x00\x08\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x05\x00\x04\xfe\x0d\x00\x00";
        let mut message = message.to_vec();
        // Length of the record data: what stands behind it.
        let start = message.windows(2).position(|two| two == [0, 0x1e]).unwrap();
        message[start + 1] = u8::try_from(message.len() - start - 2).unwrap();
        assert_eq!(
            said(&Dns, &[(Server, &message)])[3..],
            [
                "dns.answer=a.example 192.0.2.1 300",
                "dns.answer=a.example 192.0.2.2 300",
                "dns.ech=a.example"
            ]
        );
    }

    #[test]
    fn aliases_in_a_circle_end() {
        let message = b"\x00\x01\x81\x80\x00\x01\x00\x03\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01\
            \x01a\x00\x00\x05\x00\x01\x00\x00\x00\x09\x00\x03\x01b\x00\
            \x01b\x00\x00\x05\x00\x01\x00\x00\x00\x08\x00\x03\x01a\x00\
            \x01a\x00\x00\x01\x00\x01\x00\x00\x00\x09\x00\x04\x01\x02\x03\x04";
        assert_eq!(
            said(&Dns, &[(Server, message)]).last().unwrap(),
            "dns.answer=a 1.2.3.4 8"
        );
    }
}
