//! Signatures: which tool a value gives away.
//!
//! Takes a field's name and a value; gives the entries that it fits, with weight, role and source. Sees no packets and no flows.
//! The catalogue is data (`catalogue/*.toml`, described in `catalogue/README.md`); a new entry needs no code.
//!
//! Question: how does a lookup stay as fast with 10,000 entries as with 100? Answer: nothing walks the entries. Names go through one map
//! by suffix (`domains.rs`), whole values through one map, pieces of values and bytes through one automaton a field
//! (`fingerprints.rs`), addresses through one binary search (`networks.rs`); only what these point at is compared.

pub mod conversation;
mod domains;
pub mod entry;
mod exception;
pub mod extension;
mod fingerprints;
pub mod lengths;
pub mod load;
mod networks;
mod overlay;
pub mod payload;
mod placed;
mod relays;
pub mod renewal;
mod sequence;
pub mod shape;
mod values;
pub mod vocabulary;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use crate::document::{Fault, Faults, did_you_mean};
use crate::model::address::Address;
use crate::model::authority::host_of;
use domains::DomainIndex;
use entry::{FieldKind, Indicator, Pattern, Tool};
pub use fingerprints::PayloadContext;
use fingerprints::{ValueIndex, ValueIndexBuilder};
use networks::{NetworkIndex, NetworkIndexBuilder};
use overlay::Layer;
use vocabulary::Vocabulary;

/// The words that entries may use.
const VOCABULARY: (&str, &str) = (
    "catalogue/vocabulary.toml",
    include_str!("catalogue/vocabulary.toml"),
);

/// The embedded catalogue: a file a class, and several for the largest.
const EMBEDDED: &[(&str, &str)] = &[
    (
        "catalogue/remote-access.toml",
        include_str!("catalogue/remote-access.toml"),
    ),
    (
        "catalogue/remote-access-protocols.toml",
        include_str!("catalogue/remote-access-protocols.toml"),
    ),
    (
        "catalogue/remote-access-vendors.toml",
        include_str!("catalogue/remote-access-vendors.toml"),
    ),
    (
        "catalogue/virtual-desktop.toml",
        include_str!("catalogue/virtual-desktop.toml"),
    ),
    (
        "catalogue/remote-login.toml",
        include_str!("catalogue/remote-login.toml"),
    ),
    (
        "catalogue/peripheral-sharing.toml",
        include_str!("catalogue/peripheral-sharing.toml"),
    ),
    (
        "catalogue/remote-management.toml",
        include_str!("catalogue/remote-management.toml"),
    ),
    (
        "catalogue/device-management.toml",
        include_str!("catalogue/device-management.toml"),
    ),
    ("catalogue/ip-kvm.toml", include_str!("catalogue/ip-kvm.toml")),
    ("catalogue/bmc.toml", include_str!("catalogue/bmc.toml")),
    ("catalogue/vpn.toml", include_str!("catalogue/vpn.toml")),
    (
        "catalogue/vpn-service.toml",
        include_str!("catalogue/vpn-service.toml"),
    ),
    (
        "catalogue/vpn-service-vendors.toml",
        include_str!("catalogue/vpn-service-vendors.toml"),
    ),
    ("catalogue/mesh-vpn.toml", include_str!("catalogue/mesh-vpn.toml")),
    (
        "catalogue/reverse-tunnel.toml",
        include_str!("catalogue/reverse-tunnel.toml"),
    ),
    ("catalogue/proxy.toml", include_str!("catalogue/proxy.toml")),
    (
        "catalogue/residential-proxy.toml",
        include_str!("catalogue/residential-proxy.toml"),
    ),
    (
        "catalogue/obfuscation.toml",
        include_str!("catalogue/obfuscation.toml"),
    ),
    ("catalogue/tor.toml", include_str!("catalogue/tor.toml")),
    (
        "catalogue/equipment.toml",
        include_str!("catalogue/equipment.toml"),
    ),
];

/// Everything of one field.
#[derive(Debug)]
struct FieldIndex {
    kind: FieldKind,
    names: DomainIndex,
    values: ValueIndex,
    networks: NetworkIndex,
}

/// What a [`FieldIndex`] is made of.
#[derive(Debug, Default)]
struct FieldIndexBuilder {
    names: DomainIndex,
    values: ValueIndexBuilder,
    networks: NetworkIndexBuilder,
}

/// An entry that a value fits.
#[derive(Clone, Copy, Debug)]
pub struct Match<'c> {
    /// The tool.
    pub tool: &'c Tool,
    /// What gave it away.
    pub indicator: &'c Indicator,
}

impl Match<'_> {
    /// Decibans for the tool. Matches of one tool in one field overlap (`net.example.com` lies in `example.com`): the
    /// heaviest counts, not their sum.
    #[must_use]
    pub fn weight(&self) -> i16 {
        self.indicator.weight
    }
}

/// All entries and their indexes.
#[derive(Debug)]
pub struct Catalogue {
    tools: Vec<Tool>,
    by_id: BTreeMap<String, usize>,
    /// Tool and indicator of every indexed entry, in the catalogue's order.
    entries: Vec<(usize, usize)>,
    /// Where the index of a field stands, by its name.
    places: BTreeMap<String, usize>,
    fields: Vec<FieldIndex>,
    version: String,
}

/// A field of one catalogue: found by name once, asked about for every flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldPlace(usize);

impl FieldPlace {
    /// Of a field that no entry looks at: nothing fits there.
    pub const NOWHERE: Self = Self(usize::MAX);
}

/// The entries that a value fits, in the catalogue's order.
#[derive(Debug)]
pub struct Matches<'c> {
    catalogue: &'c Catalogue,
    found: std::vec::IntoIter<u32>,
}

impl<'c> Iterator for Matches<'c> {
    type Item = Match<'c>;

    #[inline]
    fn next(&mut self) -> Option<Match<'c>> {
        let entry = self.found.next()?;
        self.catalogue.entry(entry)
    }
}

impl Catalogue {
    /// The fields that entries may name: the vocabulary's.
    pub fn vocabulary_fields() -> Result<Vec<String>, Faults> {
        let vocabulary = Vocabulary::parse(Path::new(VOCABULARY.0), VOCABULARY.1)?;
        Ok(vocabulary.fields.into_keys().collect())
    }

    /// The embedded catalogue. It fails only when this program was built with a wrong one, which a test excludes.
    pub fn embedded() -> Result<Self, Faults> {
        Self::with_overlays(&[])
    }

    /// The embedded catalogue with the user's files and folders on top, in their order.
    pub fn with_overlays(paths: &[PathBuf]) -> Result<Self, Faults> {
        Self::with_overlays_and(paths, &[])
    }

    /// The same, with what the user knows of relays of Tor on top: lists of their networks, each with the words for where it comes from.
    pub fn with_overlays_and(paths: &[PathBuf], relays: &[(String, Vec<IpNet>)]) -> Result<Self, Faults> {
        let vocabulary = Vocabulary::parse(Path::new(VOCABULARY.0), VOCABULARY.1)?;
        let layer = |(path, text): &(&str, &str)| Layer {
            path: PathBuf::from(path),
            text: (*text).to_owned(),
        };
        let mut layers: Vec<Layer> = EMBEDDED.iter().map(layer).collect();
        let (own, unreadable) = overlay::read(paths);
        layers.extend(own);
        layers.extend(relays::layer(relays));
        Self::of_layers(&layers, &vocabulary, unreadable)
    }

    /// The catalogue of one file alone, without the embedded one; `path` is for the faults.
    pub fn of_file(path: &Path, text: &str) -> Result<Self, Faults> {
        let vocabulary = Vocabulary::parse(Path::new(VOCABULARY.0), VOCABULARY.1)?;
        let layer = Layer {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        Self::of_layers(&[layer], &vocabulary, Vec::new())
    }

    fn of_layers(layers: &[Layer], vocabulary: &Vocabulary, unreadable: Vec<Fault>) -> Result<Self, Faults> {
        let tools = overlay::stack(layers, vocabulary, unreadable)?;
        let mut digest = Sha256::new();
        for layer in layers {
            digest.update(layer.text.len().to_le_bytes());
            digest.update(layer.text.as_bytes());
        }
        let mut version = String::new();
        for byte in digest.finalize().iter().take(8) {
            let _ = write!(version, "{byte:02x}");
        }
        Self::index(tools, vocabulary, version)
    }

    fn index(mut tools: Vec<Tool>, vocabulary: &Vocabulary, version: String) -> Result<Self, Faults> {
        let mut by_id = BTreeMap::new();
        let mut entries: Vec<(usize, usize)> = Vec::new();
        for (place, tool) in tools.iter_mut().enumerate() {
            tool.place = place;
        }
        let mut building: BTreeMap<&str, FieldIndexBuilder> = BTreeMap::new();
        for (position, tool) in tools.iter().enumerate() {
            for id in tool.aliases.iter().chain([&tool.id]) {
                by_id.insert(id.clone(), position);
            }
            for (place, indicator) in tool.indicators.iter().enumerate() {
                let entry = u32::try_from(entries.len()).unwrap_or(u32::MAX);
                entries.push((position, place));
                for field in &indicator.fields {
                    let field_index = building.entry(field).or_default();
                    let is_name = vocabulary
                        .fields
                        .get(field)
                        .is_some_and(|rule| rule.kind == FieldKind::Domain);
                    for pattern in &indicator.patterns {
                        field_index.add(pattern, is_name, entry);
                    }
                }
            }
        }
        let mut places = BTreeMap::new();
        let mut fields = Vec::new();
        for (name, parts) in building {
            let kind = vocabulary
                .fields
                .get(name)
                .map_or(FieldKind::Text, |rule| rule.kind);
            let values = parts
                .values
                .finish(kind == FieldKind::Caseless)
                .map_err(|cause| {
                    Faults(vec![Fault {
                        path: PathBuf::from("catalogue"),
                        line: 0,
                        field: name.to_owned(),
                        what: cause.to_string(),
                    }])
                })?;
            let index = FieldIndex {
                kind,
                names: parts.names,
                values,
                networks: parts.networks.finish(),
            };
            places.insert(name.to_owned(), fields.len());
            fields.push(index);
        }
        Ok(Self {
            tools,
            by_id,
            entries,
            places,
            fields,
            version,
        })
    }

    /// The entries that `value` of `field` fits, in the catalogue's order, each indicator once.
    ///
    /// Names may come in any case, with a port and with a final dot; ports as decimal digits; link addresses (`mac.oui`) as
    /// `04:c9:8b:10:00:01`; addresses (`ip.address`) as their sixteen octets. For payloads prefer
    /// [`Catalogue::payload_matches`].
    #[must_use]
    pub fn matches(&self, field: &str, value: &[u8]) -> Matches<'_> {
        self.payload_matches(field, value, PayloadContext::default())
    }

    /// The entries that the first bytes of a side fit (`payload.to_server`, `payload.to_client`), for what carries them and
    /// for their length on the wire.
    #[must_use]
    pub fn payload_matches(&self, field: &str, value: &[u8], context: PayloadContext) -> Matches<'_> {
        let place = self.field(field).unwrap_or(FieldPlace::NOWHERE);
        self.matches_at(place, value, context)
    }

    /// Where a field stands, if entries look at it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<FieldPlace> {
        self.places.get(name).copied().map(FieldPlace)
    }

    /// As [`Catalogue::payload_matches`], for a field that was found before.
    #[must_use]
    pub fn matches_at(&self, field: FieldPlace, value: &[u8], context: PayloadContext) -> Matches<'_> {
        let found =
            (self.fields.get(field.0)).map_or_else(Vec::new, |index| self.find(index, value, context));
        Matches {
            catalogue: self,
            found: found.into_iter(),
        }
    }

    /// Whether an address may lie in a network of a field; `false` where it lies in none, as nearly all do.
    #[inline]
    #[must_use]
    pub fn may_hold(&self, field: FieldPlace, address: Address) -> bool {
        (self.fields.get(field.0)).is_some_and(|index| index.networks.may_hold(address))
    }

    /// The numbers of the entries that a value fits, in order. Nothing is allocated where there is none, as nearly always.
    fn find(&self, index: &FieldIndex, value: &[u8], context: PayloadContext) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        if index.kind == FieldKind::Domain && index.values.is_empty() && !index.names.may_hold(name_of(value))
        {
            return found;
        }
        let value = comparable(value, index.kind);
        index.names.find(&value, |entry| found.push(entry));
        index.values.find(&value, context, |entry| found.push(entry));
        index.networks.find(&value, |entry| found.push(entry));
        if found.len() > 1 {
            found.sort_unstable();
            found.dedup();
        }
        if index.kind == FieldKind::Domain {
            found.retain(|entry| {
                let known = self.entry(*entry);
                known.is_some_and(|known| !known.indicator.is_excepted(&value))
            });
        }
        found
    }

    /// An indexed entry by its number.
    fn entry(&self, number: u32) -> Option<Match<'_>> {
        let (tool, indicator) = self.entries.get(usize::try_from(number).ok()?)?;
        let tool = self.tools.get(*tool)?;
        Some(Match {
            tool,
            indicator: tool.indicators.get(*indicator)?,
        })
    }

    /// All tools in the catalogue's order.
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// The tool with this id or alias.
    #[must_use]
    pub fn tool(&self, id: &str) -> Option<&Tool> {
        self.tools.get(*self.by_id.get(id)?)
    }

    /// The words for an unknown id: `unknown tool "anydesl" (did you mean "anydesk"?)`.
    #[must_use]
    pub fn unknown(&self, id: &str) -> String {
        format!("unknown tool {id:?}{}", did_you_mean(id, self.ids()))
    }

    /// All ids and aliases in order of the alphabet.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// The fields that entries look at: what an observer need ask about.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Hash of the contents, 16 hex digits.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl FieldIndexBuilder {
    fn add(&mut self, pattern: &Pattern, is_name: bool, entry: u32) {
        let Self {
            names,
            values,
            networks,
        } = self;
        match pattern {
            Pattern::Exact(text) if is_name => names.add_exact(text, entry),
            Pattern::Exact(text) => values.add_whole(text.as_bytes(), entry),
            Pattern::Suffix(text) => names.add_suffix(text, entry),
            Pattern::Label(text) => names.add_label(text, entry),
            Pattern::Prefix(text) => values.add_prefix(text.as_bytes(), entry),
            Pattern::Contains(text) => values.add_contained(text.as_bytes(), entry),
            Pattern::Attribute(text) => values.add_attribute(text.as_bytes(), entry),
            Pattern::Shape(shape) => values.add_shape(shape, entry),
            Pattern::Bytes(pattern) => values.add_bytes(pattern, entry),
            Pattern::Lengths(pattern) => values.add_lengths(pattern, entry),
            Pattern::Ports(first, last) => values.add_ports(*first, *last, entry),
            Pattern::Network(network) => networks.add(*network, entry),
        }
    }
}

/// A name without port and final dot.
fn name_of(value: &[u8]) -> &[u8] {
    let name = host_of(value);
    name.strip_suffix(b".").unwrap_or(name)
}

/// The value as it is compared: names without port (`http.host` and proxies' targets have one) and final dot, names and
/// caseless text in lower case.
fn comparable(value: &[u8], kind: FieldKind) -> Cow<'_, [u8]> {
    let value = match kind {
        FieldKind::Domain => name_of(value),
        FieldKind::Text
        | FieldKind::Caseless
        | FieldKind::Payload
        | FieldKind::Lengths
        | FieldKind::Port
        | FieldKind::Address => value,
    };
    let is_caseless = matches!(kind, FieldKind::Domain | FieldKind::Caseless);
    if is_caseless && value.iter().any(u8::is_ascii_uppercase) {
        return Cow::Owned(value.to_ascii_lowercase());
    }
    Cow::Borrowed(value)
}

#[cfg(test)]
mod tests;
