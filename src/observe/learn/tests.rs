use super::*;
use crate::model::address::{AddressSpace, Endpoint};
use crate::model::fact::{FactLog, Side, Stamp};

const MAC: MacAddress = MacAddress([0x02, 0, 0, 0, 0, 7]);
const OWN: Address = Address::from_v4([192, 168, 1, 7]);

/// What is known after one packet of `protocol` from [`OWN`] that said this.
fn learnt(protocol: &'static str, said: &[(&'static str, Value<'_>)]) -> (Locals, Identity) {
    let header = EventHeader {
        protocol,
        macs: [MAC, MacAddress::default()],
        from: Endpoint {
            address: OWN,
            port: 0,
        },
        ..EventHeader::default()
    };
    learnt_from(&header, said)
}

fn learnt_from(header: &EventHeader, said: &[(&'static str, Value<'_>)]) -> (Locals, Identity) {
    let mut log = FactLog::default();
    let stamp = Stamp {
        at: Timestamp(1),
        source: FrameRef::default(),
        side: Side::Client,
    };
    for (name, value) in said {
        log.push(&Field::of_event(name), stamp, value);
    }
    let mut locals = Locals::new(&[], 10);
    let mut identity = Identity::new(10);
    let mut names = Names::new(10);
    from_event(
        header,
        log.iter(),
        Hint::NONE,
        &mut locals,
        &mut names,
        &mut identity,
    );
    (locals, identity)
}

fn text(text: &'static str) -> Value<'static> {
    Value::Text {
        bytes: text.as_bytes(),
        cut: false,
    }
}

#[test]
fn who_answers_a_neighbours_question_is_a_resolver_and_who_answers_from_elsewhere_is_none() {
    let answered = |from: Address| {
        let header = EventHeader {
            protocol: "dns",
            from: Endpoint {
                address: from,
                port: DNS_PORT,
            },
            to: Endpoint {
                address: OWN,
                port: 40_000,
            },
            ..EventHeader::default()
        };
        let answer = Value::Answer {
            name: b"www.example.com",
            address: Address::from_v4([198, 51, 100, 7]),
            lifetime: 60,
        };
        let (mut locals, _) = learnt_from(&header, &[("dns.answer", answer)]);
        let server = locals.place(header.space, from, MacAddress::ABSENT, header.at);
        server.is_some_and(|server| locals.get_mut(server).unwrap().roles.contains(RESOLVER))
    };
    assert!(answered(Address::from_v4([192, 168, 1, 1])));
    assert!(!answered(Address::from_v4([8, 8, 8, 8])));
}

#[test]
fn arp_ties_an_address_to_the_link_address_it_names() {
    let neighbour = Address::from_v4([192, 168, 1, 9]);
    let mac = [0x02, 0, 0, 0, 0, 9];
    let (mut locals, identity) = learnt(
        "arp",
        &[
            ("arp.sender", Value::Endpoint(neighbour, 0)),
            (
                "arp.mac",
                Value::Bytes {
                    bytes: &mac,
                    on_wire: 6,
                },
            ),
        ],
    );
    let local = locals
        .place(AddressSpace::default(), neighbour, MacAddress(mac), Timestamp(1))
        .unwrap();
    let hosts = identity.resolve(&locals);
    let owner = hosts.iter().find(|host| host.locals.contains(&local)).unwrap();
    assert_eq!(owner.mac, Some(MacAddress(mac)));
}

#[test]
fn an_answer_about_the_askers_own_address_is_the_askers() {
    let public = Address::from_v4([203, 0, 113, 7]);
    for (protocol, field, how) in [
        ("dns", "dns.own_address", "dns"),
        ("http", "http.own_address", "http"),
        ("stun", "stun.mapped", "stun"),
        ("http", "upnp.external", "upnp"),
    ] {
        let header = EventHeader {
            protocol,
            to: Endpoint {
                address: OWN,
                port: 0,
            },
            ..EventHeader::default()
        };
        let (locals, _) = learnt_from(&header, &[(field, Value::Endpoint(public, 0))]);
        let (_, own) = locals.iter().next().unwrap();
        assert_eq!(
            (own.address, own.public.keys().next()),
            (OWN, Some(&(public, how))),
            "{field}"
        );
    }
}

#[test]
fn a_public_lease_is_the_machines_that_got_it() {
    let public = Address::from_v4([203, 0, 113, 7]);
    let lease = |kind| {
        let mac = Value::Bytes {
            bytes: &MAC.0,
            on_wire: 6,
        };
        let said = [
            ("dhcp.type", Value::Number(kind)),
            ("dhcp.mac", mac),
            ("dhcp.assigned", Value::Endpoint(public, 0)),
        ];
        let (locals, identity) = learnt("dhcp", &said);
        let hosts = identity.resolve(&locals);
        hosts.iter().any(|host| host.leased.contains_key(&public))
    };
    assert!(lease(5) && !lease(2));
}

#[test]
fn what_a_device_announces_keeps_the_field_that_said_it() {
    for (protocol, field) in [
        ("mdns", "mdns.service"),
        ("mdns", "mdns.instance"),
        ("ssdp", "ssdp.server"),
        ("lldp", "lldp.system_description"),
        ("dhcpv6", "dhcpv6.vendor_class"),
    ] {
        let (locals, identity) = learnt(protocol, &[(field, text("a word of its own"))]);
        let hosts = identity.resolve(&locals);
        let known: Vec<_> = hosts.iter().flat_map(|host| host.announced.keys()).collect();
        assert_eq!(known, [&(field, "a word of its own".to_owned())], "{field}");
    }
    let (locals, identity) = learnt("mdns", &[("mdns.txt", text("model=v4"))]);
    assert!(
        identity
            .resolve(&locals)
            .iter()
            .all(|host| host.announced.is_empty())
    );
}

#[test]
fn a_switch_names_itself_by_either_protocol() {
    for (protocol, field) in [("lldp", "lldp.system_name"), ("cdp", "cdp.device")] {
        let (locals, identity) = learnt(protocol, &[(field, text("core-1"))]);
        let hosts = identity.resolve(&locals);
        assert!(
            hosts
                .iter()
                .any(|host| host.names.contains_key(&(protocol, "core-1".to_owned()))),
            "{field}"
        );
    }
}
