//! Observation: placing what the packets said. Whose address is it, which names does it have, what is the other
//! end called.
//!
//! Takes events and flow records in one order of time; gives observations, and at the end the hosts. Sees everything,
//! judges nothing. While traffic goes by, everything is kept by local address ([`LocalIndex`]); which addresses are one
//! machine is resolved at the end, when it is known which link addresses are routers'.
//!
//! The order in which things are told: all events of a block, then the flows that ended in it. A name counts for a flow
//! when its answer came before the flow began, so late records lose nothing.

mod answers;
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
mod tally;
mod thresholds;

use std::net::IpAddr;

use identity::{Host, Identity, Standing};
use locals::{Hint, LocalAddress, Locals};
use names::Names;
use outsiders::Outsiders;
use presence::Presence;
use starts::Starts;
use streams::Streams;
use tally::Part;

use crate::model::address::MacAddress;
use crate::model::authority::host_of;
use crate::model::fact::{FactIter, FieldId, Side};
use crate::model::flow::FlowRecord;
use crate::model::loss::Losses;
use crate::model::observation::{EventHeader, LocalIndex, NameSource, Observation, ServerName};
use crate::model::reverse_name::ReverseNames;
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

/// Where the ends of a flow, or of a packet, were found before its turn came: looked at first when it is placed.
#[derive(Clone, Copy, Debug)]
pub struct Touched {
    locals: [Hint; 2],
    stations: [Standing; 2],
}

impl Touched {
    /// Nothing was found.
    pub const NOTHING: Self = Self {
        locals: [Hint::NONE; 2],
        stations: [Standing::NONE; 2],
    };
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

    /// Brings near what [`Observers::event`] will ask about a packet.
    #[must_use]
    pub fn touch_event(&self, header: &EventHeader, facts: FactIter<'_>) -> Touched {
        std::hint::black_box(learn::touch(header, facts, &self.names));
        Touched {
            locals: [
                self.locals.touch(header.space, header.from.address),
                self.locals.touch(header.space, header.to.address),
            ],
            ..Touched::NOTHING
        }
    }

    /// Takes what a packet told about hosts, which was touched before. Gives the local address that it came from, if it is one.
    pub fn event(
        &mut self,
        header: &EventHeader,
        facts: FactIter<'_>,
        touched: Touched,
    ) -> Option<LocalIndex> {
        if header.space.is_strangers() {
            return None;
        }
        self.starts.event(header, facts.clone());
        let [sender, _] = touched.locals;
        learn::from_event(
            header,
            facts,
            sender,
            &mut self.locals,
            &mut self.names,
            &mut self.identity,
        )
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
    #[must_use]
    pub fn touch(&self, flow: &FlowRecord) -> Touched {
        let (space, client, server) = (flow.space, flow.client.address, flow.server.address);
        let locals = [self.locals.touch(space, client), self.locals.touch(space, server)];
        let station = |hint, mac| match hint {
            Hint::NONE => self.identity.touch(mac),
            _ => Standing::NONE,
        };
        let ([of_client, of_server], [client_mac, server_mac]) = (locals, flow.macs);
        if !flow.facts.may_have(SNI) {
            std::hint::black_box(self.names.touch(space, client, server));
        }
        std::hint::black_box(self.locals.touch_tally(of_client));
        Touched {
            locals,
            stations: [station(of_client, client_mac), station(of_server, server_mac)],
        }
    }

    /// Places a flow, which was touched before.
    pub fn flow<'a>(&mut self, flow: &'a FlowRecord, touched: Touched) -> Observation<'a> {
        if flow.space.is_strangers() {
            return Observation {
                flow,
                locals: [None, None],
                server_name: self.server_name(flow),
            };
        }
        self.streams.add(flow);
        let [mut client, mut server] = self.ends(flow, touched);
        if client.is_none()
            && server.is_none()
            && flow.layer != Layer::Link
            && on_link::learn(flow, &mut self.locals, &self.identity)
        {
            [client, server] = self.ends(flow, touched);
        }
        if !self.outsiders.has_taken() {
            self.count_outsiders(flow, [client, server]);
        }
        self.end(flow, Side::Client, client, touched);
        self.end(flow, Side::Server, server, touched);
        let [_, peer_mac] = flow.macs;
        if let (Some(client), None) = (client, server)
            && peer_mac.is_present()
            && !peer_mac.is_group()
        {
            let capture = flow.frames.first.capture;
            self.locals.through(client, peer_mac, capture, flow.start);
        }
        let server_name = self.server_name(flow);
        Observation {
            flow,
            locals: [client, server],
            server_name,
        }
    }

    /// The entries of a flow's ends.
    fn ends(&mut self, flow: &FlowRecord, touched: Touched) -> [Option<LocalIndex>; 2] {
        let ([client, server], [of_client, of_server]) = (flow.macs, touched.locals);
        let (space, at) = (flow.space, flow.start);
        [
            self.locals
                .place_from(of_client, space, flow.client.address, client, at),
            self.locals
                .place_from(of_server, space, flow.server.address, server, at),
        ]
    }

    /// Counts a flow for one of its ends.
    fn end(&mut self, flow: &FlowRecord, side: Side, local: Option<LocalIndex>, touched: Touched) {
        let of = |[client, server]: [u64; 2]| match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        let [of_client, of_server] = touched.stations;
        let ([client_mac, server_mac], [client_ttl, server_ttl]) = (flow.macs, flow.ttl);
        let (end, mac, ttl, standing) = match side {
            Side::Client => (&flow.client, client_mac, client_ttl, of_client),
            Side::Server => (&flow.server, server_mac, server_ttl, of_server),
        };
        let has_sent = side == Side::Client || of(flow.packets).0 > 0;
        let Some(local) = local else {
            if has_sent {
                self.identity.carried_foreign(standing, mac, end.address);
            }
            return;
        };
        let (bytes_out, bytes_in) = of(flow.bytes);
        let tcp = flow.tcp.as_ref();
        let is_new_carrier = self.locals.took_part(
            local,
            &Part {
                time: (flow.start, flow.end),
                bytes_out,
                bytes_in,
                carrier: has_sent.then_some(mac),
                // Tools set the time to live of other protocols to find routes or to stay on the link.
                ttl: tcp.filter(|_| has_sent).map(|_| ttl),
                handshake: tcp.and_then(|tcp| match side {
                    Side::Client => tcp.client_rtt,
                    Side::Server => tcp.server_rtt,
                }),
            },
        );
        if is_new_carrier {
            self.identity.carried(mac, Some(local), end.address);
        }
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

    /// The best name of a flow's server: what the client asked for in the clear, else what it had resolved. Through a proxy it asks for
    /// somebody else.
    fn server_name(&self, flow: &FlowRecord) -> Option<ServerName> {
        let is_proxied = || {
            PROXIES.iter().any(|proxy| flow.speaks(proxy))
                || flow.speaks("http") && flow.facts.find(HTTP_TARGET_FORM).is_some()
        };
        for (field, source) in [(SNI, NameSource::Sni), (HTTP_HOST, NameSource::HttpHost)] {
            if let Some(fact) = flow.facts.find(field)
                && !is_proxied()
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
    pub fn receiver(&mut self, header: &EventHeader, touched: Touched) -> Option<LocalIndex> {
        let ([_, mac], [_, receiver]) = (header.macs, touched.locals);
        self.locals
            .place_from(receiver, header.space, header.to.address, mac, header.at)
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
