//! Observation: placing what the packets said. Whose address is it, which names does it have, what is the other
//! end called.
//!
//! Takes events and flow records in one order of time; gives observations, and at the end the hosts. Sees everything,
//! judges nothing. While traffic goes by, everything is kept by local address ([`LocalIndex`]); which addresses are one
//! machine is resolved at the end, when it is known which link addresses are routers'.
//!
//! The order in which things are told: all events of a block, then the flows that ended in it. A name counts for a flow
//! when its answer came before the flow began, so late records lose nothing.

mod holders;
pub mod identity;
pub mod learn;
mod local_address;
pub mod locals;
pub mod names;
mod on_link;
pub mod outsiders;
mod owners;
pub mod presence;
pub mod starts;
pub mod streams;
mod thresholds;

use std::net::IpAddr;

use identity::{Host, Identity};
use locals::{LocalAddress, Locals};
use names::Names;
use outsiders::Outsiders;
use presence::Presence;
use starts::Starts;
use streams::Streams;

use crate::model::address::{Address, MacAddress};
use crate::model::authority::host_of;
use crate::model::fact::{FactIter, FieldId};
use crate::model::flow::FlowRecord;
use crate::model::loss::Losses;
use crate::model::observation::{EventHeader, LocalIndex, NameSource, Observation, ServerName};
use crate::model::reverse_name::ReverseNames;
use crate::model::router::Router;
use crate::model::segment::Layer;
use crate::model::tunnel_end::TunnelEnd;
use crate::settings::limits::Limits;

/// Everything that is remembered across flows.
#[derive(Debug)]
pub struct Observers {
    locals: Locals,
    names: Names,
    identity: Identity,
    presence: Presence,
    starts: Starts,
    streams: Streams,
    outsiders: Outsiders,
}

const SNI: FieldId = FieldId::of("tls.sni");
/// Protocols in which the client names whom the server shall call.
const PROXIES: [&str; 2] = ["socks", "http-connect"];
/// What a request asks for, where that is a whole address, as of proxies alone.
const HTTP_TARGET_FORM: FieldId = FieldId::of("http.target_form");
const HTTP_HOST: FieldId = FieldId::of("http.host");

impl Observers {
    /// `local` are the networks that count as ours; the private ranges when empty.
    #[must_use]
    pub fn new(limits: &Limits, local: &[ipnet::IpNet]) -> Self {
        Self {
            locals: Locals::new(local, limits.hosts),
            names: Names::new(limits.answers),
            identity: Identity::new(limits.hosts),
            presence: Presence::new(limits.calls),
            starts: Starts::new(limits.hosts),
            streams: Streams::default(),
            outsiders: Outsiders::new(local.is_empty()),
        }
    }

    /// Takes what a packet told about hosts.
    pub fn event(&mut self, header: &EventHeader, facts: FactIter<'_>) {
        if header.space.is_strangers() {
            return;
        }
        self.starts.event(header, facts.clone());
        learn::from_event(
            header,
            facts,
            &mut self.locals,
            &mut self.names,
            &mut self.identity,
        );
    }

    /// Takes from which lines machines of ours go out whose packets were seen inside of tunnels.
    pub fn tunnels(&mut self, ends: Vec<TunnelEnd>) {
        for end in ends {
            let latest = end.seen.days.last().map(|(_, (_, last))| *last);
            let at = latest.unwrap_or_default();
            if !self.locals.is_local(end.outer)
                && let Some(local) = self.locals.place(end.space, end.inner, MacAddress::ABSENT, at)
                && let Some(entry) = self.locals.get_mut(local)
            {
                entry.comes_through(end.outer, end.seen);
            }
        }
    }

    /// Brings near what [`Observers::flow`] will ask about a flow: done for several flows at once, their waits for memory
    /// overlap.
    pub fn touch(&self, flow: &FlowRecord) {
        let (space, client, server) = (flow.space, flow.client.address, flow.server.address);
        std::hint::black_box([
            self.locals.touch(space, client),
            self.locals.touch(space, server),
            self.names.touch(space, client, server),
        ]);
    }

    /// Places a flow.
    pub fn flow<'a>(&mut self, flow: &'a FlowRecord) -> Observation<'a> {
        if flow.space.is_strangers() {
            return Observation {
                flow,
                locals: [None, None],
                server_name: self.server_name(flow),
            };
        }
        self.streams.add(flow);
        let [mut client, mut server] = self.ends(flow);
        if client.is_none()
            && server.is_none()
            && flow.layer != Layer::Link
            && on_link::learn(flow, &mut self.locals, &self.identity)
        {
            [client, server] = self.ends(flow);
        }
        if !self.outsiders.has_taken() {
            self.count_outsiders(flow, [client, server]);
        }
        for (index, (local, mac)) in [client, server].into_iter().zip(flow.macs).enumerate() {
            let sent = index == 0 || flow.packets.get(index).is_some_and(|packets| *packets > 0);
            let address = if index == 0 {
                flow.client.address
            } else {
                flow.server.address
            };
            if sent {
                self.carried(mac, local, address);
            }
            if let Some(local) = local {
                let other = index ^ 1;
                let out = flow.bytes.get(index).copied().unwrap_or(0);
                let inward = flow.bytes.get(other).copied().unwrap_or(0);
                self.locals.count(local, flow.start, flow.end, out, inward);
                // Tools set the time to live of other protocols to find routes or to stay on the link.
                if sent && flow.tcp.is_some() {
                    self.locals.hops(local, flow.ttl.get(index).copied().unwrap_or(0));
                }
                let handshake = flow.tcp.as_ref().and_then(|tcp| {
                    if index == 0 {
                        tcp.client_rtt
                    } else {
                        tcp.server_rtt
                    }
                });
                if let Some(round_trip) = handshake {
                    self.locals.answered_after(local, flow.start, round_trip);
                }
            }
        }
        let [_, peer_mac] = flow.macs;
        if let (Some(client), None) = (client, server)
            && peer_mac.is_present()
            && !peer_mac.is_group()
        {
            let router = Router::new(peer_mac, flow.space, flow.frames.first.capture);
            self.locals.through(client, router, flow.start);
        }
        let server_name = self.server_name(flow);
        Observation {
            flow,
            locals: [client, server],
            server_name,
        }
    }

    /// The entries of a flow's ends.
    fn ends(&mut self, flow: &FlowRecord) -> [Option<LocalIndex>; 2] {
        let [client, server] = flow.macs;
        [(flow.client, client), (flow.server, server)]
            .map(|(end, mac)| self.locals.place(flow.space, end.address, mac, flow.start))
    }

    /// Counts whether a conversation has an end that is ours by its range; whoever was entered because he mattered is no such end.
    fn count_outsiders(&mut self, flow: &FlowRecord, placed: [Option<LocalIndex>; 2]) {
        let is_ours = placed.iter().any(Option::is_some)
            && (!self.locals.has_others
                || self.locals.is_local(flow.client.address)
                || self.locals.is_local(flow.server.address));
        if is_ours {
            self.outsiders.ours();
        } else if let Some((space, address)) = self.outsiders.add(flow) {
            let [client, server] = flow.macs;
            let mac = if address == flow.client.address {
                client
            } else {
                server
            };
            self.locals.enter(space, address, mac, flow.start);
        }
    }

    /// Conversations neither end of which is ours.
    #[must_use]
    pub const fn outsiders(&self) -> &Outsiders {
        &self.outsiders
    }

    /// A frame from a link address carried a packet from an address; noted once as long as both stay the same.
    fn carried(&mut self, mac: MacAddress, local: Option<LocalIndex>, address: Address) {
        if let Some(local) = local
            && !self.locals.is_new_carrier(local, mac)
        {
            return;
        }
        self.identity.carried(mac, local, address);
    }

    /// The best name of a flow's server: what the client asked for in the clear, else what it had resolved. Through a proxy it asks for
    /// somebody else.
    fn server_name(&self, flow: &FlowRecord) -> Option<ServerName> {
        let is_proxied = PROXIES.iter().any(|proxy| flow.speaks(proxy))
            || flow.speaks("http") && flow.facts.find(HTTP_TARGET_FORM).is_some();
        for (field, source) in [(SNI, NameSource::Sni), (HTTP_HOST, NameSource::HttpHost)] {
            if !is_proxied
                && let Some(fact) = flow.facts.find(field)
                && let Some(text) = fact.value.as_text()
            {
                // A client may write the port behind the name; a literal address is no name.
                let host = std::str::from_utf8(host_of(text.as_bytes())).unwrap_or_default();
                let name = names::normalised(host);
                if !name.is_empty() && name.parse::<IpAddr>().is_err() {
                    return Some(ServerName {
                        name: name.into(),
                        source,
                        frame: fact.source,
                        at: fact.at,
                        lifetime: None,
                    });
                }
            }
        }
        self.names
            .name_of(flow.space, flow.client.address, flow.server.address, flow.start)
    }

    /// Notes a placed flow that belongs to no tool: a site that a machine of ours called by a name.
    pub fn called(&mut self, observation: &Observation<'_>) {
        let is_web = matches!(observation.flow.server.port, 80 | 443);
        if let ([Some(client), None], Some(name)) = (observation.locals, &observation.server_name)
            && is_web
        {
            self.presence
                .connected(client, &name.name, observation.flow.start);
        }
    }

    /// When people were active.
    #[must_use]
    pub const fn presence(&self) -> &Presence {
        &self.presence
    }

    /// When machines came up.
    #[must_use]
    pub const fn starts(&self) -> &Starts {
        &self.starts
    }

    /// Enters an end of a flow that has no local end, because the flow turned out to matter: the client, unless the link says that the
    /// server is the one of ours.
    pub fn enter(&mut self, flow: &FlowRecord) -> [Option<LocalIndex>; 2] {
        on_link::enter(flow, &mut self.locals, &self.identity)
    }

    /// What the reader should know of whose addresses are.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        self.locals.on_link.remarks(self.outsiders.remark().is_none())
    }

    /// The local address that a packet went to, if it is one.
    #[must_use]
    pub fn receiver(&mut self, header: &EventHeader) -> Option<LocalIndex> {
        learn::receiver(header, &mut self.locals)
    }

    /// The local address that a packet came from, if it is one.
    #[must_use]
    pub fn sender(&mut self, header: &EventHeader) -> Option<LocalIndex> {
        learn::sender(header, &mut self.locals)
    }

    /// How whole the TCP connections are.
    #[must_use]
    pub fn streams(&self) -> Streams {
        self.streams
    }

    /// What answers called addresses.
    #[must_use]
    pub fn reverse_names(&self) -> &ReverseNames {
        &self.names.reversed
    }

    /// What is known of local addresses.
    #[must_use]
    pub fn locals(&self) -> &Locals {
        &self.locals
    }

    /// Resolves addresses to machines, when everything was seen. What could not be kept is counted in `losses`. What only served to place
    /// flows, the names of servers and the link addresses, is given up for what is made next.
    #[must_use]
    pub fn resolve(&mut self, losses: &mut Losses) -> Vec<Host> {
        losses.add("addresses beyond the bound on hosts", self.locals.refused());
        losses.add(
            "changes of an address's holder beyond the bound",
            self.locals.crowded(),
        );
        losses.add(
            "connections beyond the bound on traces of people",
            self.presence.refused,
        );
        losses.add("starts of machines beyond the bounds", self.starts.refused);
        let hosts = self.identity.resolve(&self.locals);
        self.identity = Identity::new(0);
        self.names.forget_all();
        hosts
    }

    /// One local address.
    #[must_use]
    pub fn local(&self, index: LocalIndex) -> Option<&LocalAddress> {
        self.locals.get(index)
    }
}
