//! Entries of the catalogue: tools, what gives them away, and the words that entries may use.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;

use super::conversation::Conversation;
use super::payload::BytePattern;
use super::shape::Shape;

/// How a note begins that knows nothing else which shows the same.
const NONE_KNOWN: &str = "none known";

/// What tools have in common: one row of `catalogue/vocabulary.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its word, as entries write it.
    pub id: String,
    /// Kind of the finding that such a tool leads to (`remote_access`, `vpn`, ...); `None` where the tool only colours others.
    pub finding: Option<String>,
    /// How much such a tool says by itself.
    pub suspicion: Suspicion,
    /// What innocently explains such a tool.
    pub benign: String,
}

/// How much the mere presence of a class says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspicion {
    /// Daily business: remote login, company gateways.
    Low,
    /// Worth a line.
    Normal,
    /// Rare where it is not declared.
    High,
}

/// How values of a field are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Domain names: any case, label by label, final dot ignored.
    Domain,
    /// Text, byte by byte.
    Text,
    /// Text in any case (ASCII).
    Caseless,
    /// First bytes of a side.
    Payload,
    /// Port numbers.
    Port,
    /// Network addresses.
    Address,
}

/// A field that indicators may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// Name, `tls.sni`.
    pub name: String,
    /// How its values are compared.
    pub kind: FieldKind,
    /// Names under which several fields are meant at once, `host.name`.
    pub groups: Vec<String>,
}

/// What an indicator says about the host on its side of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleHint {
    /// The tool is installed and reports to its vendor; nobody need be connected.
    Agent,
    /// A session is under way.
    Session,
    /// The host controls another.
    Controller,
    /// The host is, or offers to be, controlled.
    Controlled,
    /// The host runs the service that others come to.
    Server,
    /// A visit to the vendor's pages or a download looks the same.
    Website,
}

impl RoleHint {
    /// Every hint.
    pub const ALL: [Self; 6] = [
        Self::Agent,
        Self::Session,
        Self::Controller,
        Self::Controlled,
        Self::Server,
        Self::Website,
    ];

    /// Its word in entries and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Session => "session",
            Self::Controller => "controller",
            Self::Controlled => "controlled",
            Self::Server => "server",
            Self::Website => "website",
        }
    }
}

/// What a value must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Equal.
    Exact(String),
    /// A domain name: equal, or anything in front of a dot and this.
    Suffix(String),
    /// A domain name of which one label has a `*`, which stands for one or more characters that are no dots.
    Label(String),
    /// Begins so.
    Prefix(String),
    /// Holds this.
    Contains(String),
    /// Has this shape.
    Shape(Shape),
    /// An attribute of a distinguished name, `CN=AnyDesk Client`, whatever stands around it.
    Attribute(String),
    /// Bytes of a payload.
    Bytes(BytePattern),
    /// A port, both ends included.
    Ports(u16, u16),
    /// An address in this network.
    Network(IpNet),
}

impl Pattern {
    /// The smallest value that looks so: names and texts as they stand on the wire, ports in digits, networks by the first
    /// address that a host may have.
    #[must_use]
    pub fn example(&self) -> Vec<u8> {
        match self {
            Self::Exact(text)
            | Self::Prefix(text)
            | Self::Contains(text)
            | Self::Attribute(text)
            | Self::Suffix(text) => text.clone().into_bytes(),
            Self::Label(text) => text.replace('*', "1a2b").into_bytes(),
            Self::Shape(shape) => shape.example(),
            Self::Bytes(pattern) => pattern.example(),
            Self::Ports(first, _) => first.to_string().into_bytes(),
            Self::Network(network) => {
                let first = network.hosts().next().unwrap_or(network.addr());
                first.to_string().into_bytes()
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "= {text}"),
            Self::Suffix(text) => write!(f, "*.{text}"),
            Self::Label(text) => f.write_str(text),
            Self::Prefix(text) => write!(f, "{text}*"),
            Self::Contains(text) => write!(f, "*{text}*"),
            Self::Attribute(text) => write!(f, "attribute {text}"),
            Self::Shape(shape) => shape.fmt(f),
            Self::Bytes(pattern) => pattern.fmt(f),
            Self::Ports(first, last) if first == last => write!(f, "{first}"),
            Self::Ports(first, last) => write!(f, "{first}-{last}"),
            Self::Network(network) => network.fmt(f),
        }
    }
}

/// One thing that gives a tool away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indicator {
    /// The fields in which it is looked for.
    pub fields: Vec<String>,
    /// Any of these.
    pub patterns: Vec<Pattern>,
    /// Whole names that it does not stand for although a pattern fits them: the vendor's pages in the zone of his servers.
    pub except: Vec<String>,
    /// Of an address: in which conversations it counts.
    pub conversation: Conversation,
    /// Decibans for this tool when it is seen: 10 is ten to one.
    pub weight: i16,
    /// Whether it may name the tool alone. Ports never may.
    pub alone: bool,
    /// What it says about the host.
    pub role: Option<RoleHint>,
    /// Where the fact comes from.
    pub source: String,
    /// What else shows the same: the false positives.
    pub note: Option<String>,
    /// The note in words for a report.
    pub caveat: Option<Arc<str>>,
    /// Line in its file.
    pub line: usize,
}

impl Indicator {
    /// Whether it does not stand for this name, which is in lower case.
    #[must_use]
    pub fn is_excepted(&self, name: &[u8]) -> bool {
        self.except.iter().any(|except| except.as_bytes() == name)
    }
}

/// What a note says, in words for a report: the catalogue's `none known` is short for a sentence.
pub(super) fn caveat(note: &str) -> Arc<str> {
    note.strip_prefix(NONE_KNOWN).map_or_else(
        || note.into(),
        |rest| format!("nothing else is known to show it{rest}").into(),
    )
}

/// What the network never shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// Why.
    pub reason: String,
    /// Where that is known from.
    pub source: String,
}

/// Ways of pictures beside a tool's own connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// By WebRTC: STUN and TURN show the ways.
    Webrtc,
}

/// What a VPN service is to whoever investigates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum VpnService {
    /// None, or one for companies.
    #[default]
    No,
    /// Sold to consumers.
    Consumer,
    /// Sold to consumers, and named by public reports on such cases (DETECTION 1.3); most of its users have nothing to do with them.
    Watched,
}

/// A tool: product, protocol or device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its place in the catalogue's order, by which flows are grouped.
    pub place: usize,
    /// Identifier in records, policies and inventories.
    pub id: String,
    /// Further identifiers that mean the same.
    pub aliases: Vec<String>,
    /// Name for people.
    pub name: String,
    /// Its class.
    pub class: Arc<Class>,
    /// Identifier of the protocol that the product runs on.
    pub protocol: Option<String>,
    /// Whether it is a VPN service that matters.
    pub vpn_service: VpnService,
    /// The machine that is driven opens the connection to who drives it, and not the other way round.
    pub is_opened_by_controlled: bool,
    /// Both call a server that somebody runs himself, so that no vendor's name gives the relay away.
    pub is_opened_by_both: bool,
    /// How its pictures go, where not over its own connections.
    pub media: Option<Media>,
    /// What innocently explains it, where the class's words do not fit.
    pub benign: Option<String>,
    /// What an analyst should know.
    pub note: Option<String>,
    /// Why nothing on the network gives it away, and where that is known from; then it has no indicators.
    pub unseen: Option<Unseen>,
    /// What gives it away.
    pub indicators: Vec<Indicator>,
    /// File of the entry.
    pub path: PathBuf,
    /// Line of the entry.
    pub line: usize,
}

impl Tool {
    /// Where the facts of the entry come from, each source once, in order of the alphabet.
    #[must_use]
    pub fn sources(&self) -> BTreeSet<&str> {
        let of_indicators = self.indicators.iter().map(|indicator| indicator.source.as_str());
        let of_unseen = self.unseen.iter().map(|unseen| unseen.source.as_str());
        of_indicators.chain(of_unseen).collect()
    }

    /// What innocently explains it.
    #[must_use]
    pub fn benign(&self) -> &str {
        self.benign.as_deref().unwrap_or(&self.class.benign)
    }
}
