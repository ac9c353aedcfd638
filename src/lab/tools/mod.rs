//! Models of tools: what each puts on the wire, one file a tool.

pub(super) mod anydesk;
pub(super) mod pikvm;
pub(super) mod rdp;
pub(super) mod rustdesk;
pub(super) mod screen;
pub(super) mod screenconnect;
pub(super) mod web;
pub(super) mod wireguard;
