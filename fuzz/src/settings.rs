//! What users write: signature files, inventories, policies.

use std::net::IpAddr;
use std::path::Path;
use std::sync::LazyLock;

use farmhawk::document::Fault;
use farmhawk::model::address::MacAddress;
use farmhawk::settings::inventory::Inventory;
use farmhawk::settings::policy::Policy;
use farmhawk::signatures::Catalogue;

/// Tools that inventories and policies may name.
const TOOLS: [&str; 3] = ["anydesk", "rustdesk", "wireguard"];

/// Fields of signatures.
static FIELDS: LazyLock<Vec<String>> = LazyLock::new(|| Catalogue::vocabulary_fields().unwrap_or_default());

/// Every fault has words and lies in the file.
fn check(faults: &[Fault], bytes: &[u8]) {
    let lines = bytes.split(|octet| matches!(octet, b'\n' | b'\r')).count();
    for fault in faults {
        assert!(!fault.what.is_empty(), "a fault without words");
        assert!(
            fault.line <= lines,
            "line {} of {lines}: {}",
            fault.line,
            fault.what
        );
    }
}

/// A file of signatures: read, indexed, and asked about pieces of its own text.
///
/// # Panics
///
/// When a fault lies outside the file: what fuzzing looks for.
pub fn catalogue(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let path = Path::new("own.toml");
    let catalogue = match Catalogue::of_file(path, text) {
        Ok(catalogue) => catalogue,
        Err(faults) => return check(&faults.0, input),
    };
    assert!(!catalogue.tools().is_empty(), "a file without a tool is refused");
    for tool in catalogue.tools() {
        assert_eq!(
            catalogue.tool(&tool.id),
            Some(tool),
            "a tool is found by its identifier"
        );
    }
    let pieces = text.split(['"', '\n']).map(str::as_bytes);
    for value in pieces.chain([&b""[..], &[0xff; 300]]).take(64) {
        for field in FIELDS.iter() {
            for found in catalogue.matches(field, value) {
                assert!(found.indicator.fields.contains(field), "{field} is not asked for");
            }
        }
    }
}

/// An inventory, as CSV or JSON by its content: strict and lenient reading must agree.
///
/// # Panics
///
/// When they do not, when a fault lies outside the file, or when a row cannot be found by its own key.
pub fn inventory(input: &[u8]) {
    let path = Path::new("inventory");
    let strict = Inventory::parse(path, input, &TOOLS, true);
    let inventory = match Inventory::parse(path, input, &TOOLS, false) {
        Ok(inventory) => inventory,
        Err(faults) => {
            check(&faults.0, input);
            assert!(strict.is_err(), "what is refused leniently is refused strictly");
            return;
        }
    };
    check(inventory.faults(), input);
    check(inventory.cell_faults(), input);
    assert_eq!(
        strict.is_ok(),
        inventory.faults().is_empty() && inventory.cell_faults().is_empty(),
        "strict reading refuses what has faults, and nothing else"
    );
    for asset in inventory.assets() {
        let days = (asset.valid.0.unwrap_or(0), asset.valid.1.unwrap_or(u32::MAX));
        for mac in &asset.macs {
            assert!(
                inventory.find(Some(*mac), &[], &[], &[], days).is_some(),
                "not found by {mac}"
            );
        }
        for ip in &asset.ips {
            assert!(
                inventory.find(None, &[*ip], &[], &[], days).is_some(),
                "not found by {ip}"
            );
        }
        for network in &asset.networks {
            let inside = [network.network(), network.broadcast()];
            assert!(
                inventory.find(None, &inside, &[], &[], days).is_some(),
                "not found in {network}"
            );
        }
        for name in &asset.hostnames {
            assert!(
                inventory.find(None, &[], &[], &[name], days).is_some(),
                "not found by {name:?}"
            );
        }
    }
    let text = String::from_utf8_lossy(input);
    let names: Vec<&str> = text.split(',').take(16).collect();
    let _ = inventory.find(
        Some(MacAddress([2; 6])),
        &addresses(input),
        &addresses(input),
        &names,
        (0, u32::MAX),
    );
}

/// A policy, and what it says of addresses and names from its own text.
pub fn policy(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let policy = match Policy::parse(Path::new("policy.toml"), text, &TOOLS) {
        Ok(policy) => policy,
        Err(faults) => return check(&faults.0, input),
    };
    let names: Vec<&str> = text.split('"').take(16).collect();
    for ip in addresses(input) {
        let _ = policy.sanctions_egress(ip);
        let _ = policy.site_of(ip);
        for tool in TOOLS {
            let _ = policy.sanctions_instance(tool, &names, Some(ip));
        }
    }
    for name in names {
        let _ = policy.site(name);
        let _ = policy.sanctions(name);
    }
}

/// Addresses made of the first and the last octets, and some that lie in documentation ranges.
pub(crate) fn addresses(input: &[u8]) -> Vec<IpAddr> {
    let mut list: Vec<IpAddr> = vec![[203, 0, 113, 7].into(), [198, 51, 100, 1].into()];
    list.push([0x2001, 0x0db8, 0, 0, 0, 0, 0, 1].into());
    list.extend(input.first_chunk::<4>().map(|octets| IpAddr::from(*octets)));
    list.extend(input.last_chunk::<4>().map(|octets| IpAddr::from(*octets)));
    list.extend(input.last_chunk::<16>().map(|octets| IpAddr::from(*octets)));
    list
}
