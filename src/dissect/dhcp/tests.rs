use super::*;
use crate::dissect::rehearsal::{every_cut_is_harmless, probe_datagram, said};
use crate::model::fact::Side::Client;

fn message(options: &[u8]) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0];
    message.resize(28, 0);
    message.extend([2, 0, 0, 0, 0, 7]);
    message.resize(236, 0);
    message.extend(COOKIE);
    message.extend(options);
    message
}

const OPTIONS: &[u8] =
    b"\x35\x01\x03\x3d\x07\x01\x02\x00\x00\x00\x00\x07\x32\x04\x0a\x00\x00\x07\x0c\x08LAPTOP-7\
    \x51\x10\x00\x00\x00LAPTOP-7.corp\x3c\x08MSFT 5.0\x00\x37\x03\x01\x03\x06\xff";

#[test]
fn a_request_tells_name_class_parameters_and_the_address_asked_for() {
    assert_eq!(
        said(&Dhcp, &[(Client, &message(OPTIONS))]),
        [
            "dhcp.type=3",
            "dhcp.mac=020000000007",
            "dhcp.host_name=LAPTOP-7",
            "dhcp.vendor_class=MSFT 5.0",
            "dhcp.fqdn=LAPTOP-7.corp",
            "dhcp.parameters=1,3,6",
            "dhcp.client_id=01020000000007",
            "dhcp.requested=10.0.0.7",
        ]
    );
}

#[test]
fn an_acknowledgement_tells_address_lease_and_servers() {
    let mut reply = message(
        b"\x35\x01\x05\x36\x04\x0a\0\0\x01\x33\x04\0\x01\x51\x80\x03\x04\x0a\0\0\x01\x06\x08\x01\x01\x01\x01\x08\x08\x08\x08\xff",
    );
    reply[0] = 2;
    reply[16..20].copy_from_slice(&[10, 0, 0, 7]);
    assert_eq!(
        said(&Dhcp, &[(Client, &reply)])[2..],
        [
            "dhcp.assigned=10.0.0.7",
            "dhcp.server=10.0.0.1",
            "dhcp.router=10.0.0.1",
            "dhcp.dns=1.1.1.1",
            "dhcp.dns=8.8.8.8",
            "dhcp.lease=86400"
        ]
    );
}

#[test]
fn options_in_the_server_name_field_are_read_when_the_overload_option_says_so() {
    let mut overloaded = message(b"\x34\x01\x02\xff");
    overloaded[44..50].copy_from_slice(b"\x0c\x04lap7");
    assert_eq!(
        said(&Dhcp, &[(Client, &overloaded)]).last().unwrap(),
        "dhcp.host_name=lap7"
    );
}

#[test]
fn a_full_name_in_dns_form_is_read_also_without_its_empty_label() {
    let full = message(b"\x51\x0f\x04\x00\x00\x06laptop\x04corp\xff");
    assert_eq!(
        said(&Dhcp, &[(Client, &full)]).last().unwrap(),
        "dhcp.fqdn=laptop.corp"
    );
}

#[test]
fn the_cookie_is_enough_on_any_port_and_bootp_needs_its_own() {
    assert_eq!(probe_datagram(&Dhcp, 4_011, &message(OPTIONS)), Probe::Yes);
    let mut bootp = message(&[]);
    bootp[236] = 0;
    assert_eq!(probe_datagram(&Dhcp, 67, &bootp), Probe::Yes);
    assert_eq!(probe_datagram(&Dhcp, 4_011, &bootp), Probe::No);
    assert_eq!(probe_datagram(&Dhcp, 67, &[0; 300]), Probe::No);
}

#[test]
fn every_cut_is_harmless_here() {
    every_cut_is_harmless(&Dhcp, &message(OPTIONS));
}
