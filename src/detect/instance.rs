//! Instances of tools: servers of a customer's own, by which a company's use of a product is told from a stranger's.

use std::net::IpAddr;

use super::group::Group;
use super::{HostView, Knowledge};
use crate::signatures::entry::Tool;

/// The tool's instance: the first of its customers' servers.
pub(super) fn instance(tool: &Tool, group: &Group) -> (Option<String>, bool) {
    let first = customers_servers(tool, group).next();
    first.map_or((None, false), |(name, _, is_private)| {
        (Some(name.to_owned()), is_private)
    })
}

/// Servers of somebody in particular: a customer's own name at the vendor, or, marked so, one outside the vendor's zone.
fn customers_servers<'a>(tool: &Tool, group: &'a Group) -> impl Iterator<Item = (&'a str, IpAddr, bool)> {
    let is_rustdesk = tool.id == "rustdesk";
    group.peers.iter().filter_map(move |(address, seen)| {
        // Without a name it may be the vendor's own, which was asked for before the capture began or in secret.
        let name = seen.name.as_deref()?;
        let is_private = is_rustdesk && name != "rustdesk.com" && !name.ends_with(".rustdesk.com");
        (is_private || name.starts_with("instance-")).then(|| (name, address.to_ip(), is_private))
    })
}

/// Whether the tool is allowed here: in each of the instances that were reached, so that the company's own server does not
/// make a stranger's beside it allowed.
pub(super) fn sanctioned(
    host: &HostView,
    tool: &Tool,
    group: &Group,
    names: &[&str],
    address: Option<IpAddr>,
    knowledge: &Knowledge<'_>,
) -> Option<bool> {
    let of_all = knowledge.sanctioned(host, &tool.id, names, address);
    let mut each = customers_servers(tool, group)
        .map(|(name, address, _)| knowledge.sanctioned(host, &tool.id, &[name], Some(address)));
    if each.any(|one| one == Some(false)) {
        return Some(false);
    }
    of_all
}
