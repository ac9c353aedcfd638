//! Reads signature files: everything checked, everything wrong named.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use super::conversation;
use super::domains::split_label;
use super::entry::{
    Class, FieldKind, Indicator, Media, Pattern, RoleHint, Suspicion, Tool, Unseen, VpnService, caveat,
};
use super::exception;
use super::extension::{self, Extension};
use super::payload::BytePattern;
use super::shape::Shape;
use super::values;
use super::vocabulary::{Shared, Vocabulary};
use crate::document::{Document, Fault, Table, did_you_mean};

/// Largest weight either way: ten thousand to one. What would need more needs a second indicator.
const HEAVIEST: i64 = 40;

/// Largest weight of a port, and of a name that many products share.
const HEAVIEST_SHARED: i64 = 10;

/// Largest weight of a customer's own name below one that many products share: whose it is can change with the next bill.
const HEAVIEST_BELOW_SHARED: i64 = 30;

/// Shortest prefix of a network that an indicator may name.
pub(super) const WIDEST_NETWORK: u8 = 8;

/// Shortest piece that `prefix` and `contains` may look for.
const SHORTEST_PIECE: usize = 3;

/// What one file holds.
#[derive(Debug, Default)]
pub struct Entries {
    /// Its entries.
    pub tools: Vec<Tool>,
    /// What it adds to entries, its own or those of files before it.
    pub extensions: Vec<Extension>,
}

/// Reads the entries of one file, and everything that is wrong in it: a file with a fault is refused whole.
pub fn entries(path: &Path, text: &str, vocabulary: &Vocabulary) -> (Entries, Vec<Fault>) {
    let document = match Document::parse(path, text) {
        Ok(document) => document,
        Err(faults) => return (Entries::default(), faults.0),
    };
    let root = document.root();
    let mut tools: Vec<Tool> = Vec::new();
    let mut extensions = Vec::new();
    let mut ids = BTreeSet::new();
    for table in root.tables("tool") {
        if table.has("extends") {
            extensions.push(extension::read(path, &table, vocabulary));
            continue;
        }
        let tool = tool(path, &table, vocabulary);
        for id in tool.aliases.iter().chain([&tool.id]) {
            if !ids.insert(id.clone()) {
                table.fault("id", format!("{id:?} stands twice in this file"));
            }
        }
        tools.push(tool);
    }
    if tools.is_empty() && extensions.is_empty() {
        root.fault("tool", "no entry");
    }
    root.refuse_unknown();
    drop(root);
    let faults = document.finish(()).err();
    let entries = Entries { tools, extensions };
    (entries, faults.map_or_else(Vec::new, |faults| faults.0))
}

/// Further names that mean the same tool.
pub(super) fn aliases(table: &Table<'_>) -> Vec<String> {
    let texts = table.texts("aliases");
    texts
        .iter()
        .map(|item| identifier(table, "aliases", item.text))
        .collect()
}

/// What gives a tool away.
pub(super) fn indicators(table: &Table<'_>, vocabulary: &Vocabulary) -> Vec<Indicator> {
    let tables = table.tables("indicator");
    tables
        .iter()
        .map(|indicator_table| indicator(indicator_table, vocabulary))
        .collect()
}

fn tool(path: &Path, table: &Table<'_>, vocabulary: &Vocabulary) -> Tool {
    let id = identifier(table, "id", table.required_text("id").unwrap_or_default());
    let class_word = table.required_text("class").unwrap_or_default();
    let class = vocabulary.classes.get(class_word).cloned();
    if class.is_none() && !class_word.is_empty() {
        let meant = did_you_mean(class_word, vocabulary.classes.keys().map(String::as_str));
        table.fault("class", format!("unknown class {class_word:?}{meant}"));
    }
    let aliases = aliases(table);
    let indicators = indicators(table, vocabulary);
    let unseen = table.text("unseen").map(|reason| Unseen {
        reason: reason.to_owned(),
        source: table.required_text("source").unwrap_or_default().to_owned(),
    });
    match (indicators.is_empty(), unseen.is_some()) {
        (true, false) => table.fault(
            "indicator",
            "a tool needs at least one, or unseen with the reason",
        ),
        (false, true) => table.fault("unseen", "it has indicators"),
        _ => {}
    }
    let opened_by = opened_by(table);
    let tool = Tool {
        place: 0,
        name: name(table, &id),
        id,
        aliases,
        class: class.unwrap_or_else(|| {
            Arc::new(Class {
                id: String::new(),
                finding: None,
                suspicion: Suspicion::Normal,
                benign: String::new(),
            })
        }),
        protocol: table.text("protocol").map(str::to_owned),
        vpn_service: match (table.flag("watched_vpn"), table.flag("consumer_vpn")) {
            (Some(true), _) => VpnService::Watched,
            (_, Some(true)) => VpnService::Consumer,
            _ => VpnService::No,
        },
        is_opened_by_controlled: opened_by == Some("controlled"),
        is_opened_by_both: opened_by == Some("both"),
        media: media(table),
        benign: table.text("benign").map(str::to_owned),
        note: table.text("note").map(str::to_owned),
        unseen,
        indicators,
        path: path.to_owned(),
        line: table.line(),
    };
    table.refuse_unknown();
    tool
}

/// What people call it; its identifier where nothing is said.
fn name(table: &Table<'_>, id: &str) -> String {
    let name = table.text("name").unwrap_or(id);
    if name.is_empty() && table.has("name") {
        table.fault("name", "empty");
    }
    name.to_owned()
}

/// Who opens the connection, where that is not who drives.
fn opened_by<'d>(table: &Table<'d>) -> Option<&'d str> {
    let told = table.text("opened_by")?;
    if !matches!(told, "controlled" | "controller" | "both") {
        table.fault("opened_by", "expected controller, controlled or both");
    }
    Some(told)
}

/// How its pictures go, where not over the connections that name it.
fn media(table: &Table<'_>) -> Option<Media> {
    let told = table.text("media")?;
    if told != "webrtc" {
        table.fault("media", format!("unknown media {told:?}: expected webrtc"));
    }
    Some(Media::Webrtc)
}

/// Identifiers are lower case: letters, digits, single hyphens between them.
fn identifier(table: &Table<'_>, key: &'static str, text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.bytes().all(is_plain) || text.starts_with('-') || text.ends_with('-') {
        table.fault(
            key,
            format!("{text:?}: lower-case letters, digits and hyphens only"),
        );
    }
    text.to_owned()
}

fn indicator(table: &Table<'_>, vocabulary: &Vocabulary) -> Indicator {
    let mut fields: Vec<String> = Vec::new();
    let mut kind = None;
    if !table.has("field") {
        table.fault("field", "missing");
    }
    for item in table.texts("field") {
        match vocabulary.fields_of(item.text) {
            Some((_, other)) if kind.is_some_and(|kind| kind != other) => {
                table.fault_in(
                    "field",
                    item,
                    format!("{:?} is compared otherwise than the fields before it", item.text),
                );
            }
            Some((names, found)) => {
                kind = Some(found);
                fields.extend(
                    names
                        .into_iter()
                        .filter(|name| !fields.contains(name))
                        .collect::<Vec<_>>(),
                );
            }
            None => {
                let meant = did_you_mean(item.text, vocabulary.names());
                table.fault_in("field", item, format!("unknown field {:?}{meant}", item.text));
            }
        }
    }
    let patterns = patterns(table, kind);
    let except = exception::read(table, &patterns);
    for field in &fields {
        if let Some((way, what)) = values::malformed(field, &patterns) {
            table.fault(way, what);
        }
    }
    let alone = table.flag("alone").unwrap_or_default();
    let weight = weight(table, kind, &patterns, alone, vocabulary);
    let conversation = conversation::read(table);
    let is_of_address = kind == Some(FieldKind::Address);
    if !is_of_address
        && let Some(key) = ["transport", "answered", "speaks"]
            .into_iter()
            .find(|key| table.has(key))
    {
        table.fault(key, "only addresses are asked for the conversation");
    }
    if alone && is_of_address && conversation.is_any() && fields.iter().any(|field| field == "ip.address") {
        let what = "an address names a tool alone only with transport, answered or speaks: anybody can be sent a packet";
        table.fault("alone", what);
    }
    let role = table.text("role").and_then(|word| {
        let role = RoleHint::ALL.into_iter().find(|role| role.name() == word);
        if role.is_none() {
            let meant = did_you_mean(word, RoleHint::ALL.map(RoleHint::name));
            table.fault("role", format!("unknown role {word:?}{meant}"));
        }
        role
    });
    let indicator = Indicator {
        fields,
        patterns,
        except,
        conversation,
        weight,
        alone,
        role,
        source: table.required_text("source").unwrap_or_default().to_owned(),
        note: table.text("note").map(str::to_owned),
        caveat: table.text("note").map(caveat),
        line: table.line(),
    };
    table.refuse_unknown();
    indicator
}

fn weight(
    table: &Table<'_>,
    kind: Option<FieldKind>,
    patterns: &[Pattern],
    alone: bool,
    vocabulary: &Vocabulary,
) -> i16 {
    if !table.has("weight") {
        table.fault("weight", "missing");
    }
    let weight = table.whole("weight").unwrap_or_default();
    if !(-HEAVIEST..=HEAVIEST).contains(&weight) {
        table.fault(
            "weight",
            format!("{weight} is outside -{HEAVIEST} to {HEAVIEST} decibans"),
        );
    }
    let (most, reason) = match (kind, vocabulary.shared_by(patterns)) {
        (Some(FieldKind::Port), _) => (HEAVIEST_SHARED, "a port".to_owned()),
        (_, Some(Shared::Itself(name))) => (HEAVIEST_SHARED, format!("{name:?}, which many products share,")),
        (_, Some(Shared::Below(name))) => (
            HEAVIEST_BELOW_SHARED,
            format!("a name below {name:?}, which many products share,"),
        ),
        (_, None) => (HEAVIEST, String::new()),
    };
    if weight > most && most < HEAVIEST {
        table.fault("weight", format!("{reason} is worth {most} decibans at most"));
    }
    if alone && most == HEAVIEST_SHARED {
        table.fault("alone", format!("{reason} never names a tool alone"));
    }
    i16::try_from(weight).unwrap_or_default()
}

/// The ways to match, and which kinds of field know them.
const WAYS: [(&str, &[FieldKind]); 10] = [
    (
        "exact",
        &[FieldKind::Domain, FieldKind::Text, FieldKind::Caseless],
    ),
    ("suffix", &[FieldKind::Domain]),
    ("label", &[FieldKind::Domain]),
    ("prefix", &[FieldKind::Text, FieldKind::Caseless]),
    ("contains", &[FieldKind::Text, FieldKind::Caseless]),
    ("attribute", &[FieldKind::Text, FieldKind::Caseless]),
    ("shape", &[FieldKind::Text, FieldKind::Caseless]),
    ("bytes", &[FieldKind::Payload]),
    ("port", &[FieldKind::Port]),
    ("network", &[FieldKind::Address]),
];

fn patterns(table: &Table<'_>, kind: Option<FieldKind>) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for (way, kinds) in WAYS {
        for item in table.texts(way) {
            if kind.is_some_and(|kind| !kinds.contains(&kind)) {
                table.fault_in(way, item, "this field is not matched in that way");
                continue;
            }
            let text = match kind {
                Some(FieldKind::Domain | FieldKind::Caseless) => item.text.to_ascii_lowercase(),
                _ => item.text.to_owned(),
            };
            match pattern(way, text, kind) {
                Ok(pattern) => patterns.push(pattern),
                Err(what) => table.fault_in(way, item, format!("{:?}: {what}", item.text)),
            }
        }
    }
    if patterns.is_empty() && !WAYS.iter().any(|(way, _)| table.has(way)) {
        table.fault(
            "",
            "nothing to match: exact, suffix, label, prefix, contains, attribute, shape, bytes, port or network is missing",
        );
    }
    patterns
}

fn pattern(way: &str, text: String, kind: Option<FieldKind>) -> Result<Pattern, String> {
    if text.is_empty() {
        return Err("empty".to_owned());
    }
    if kind == Some(FieldKind::Domain) {
        is_domain(&text)?;
    }
    match way {
        "suffix" if !text.contains('.') => Err("a whole top-level domain".to_owned()),
        "suffix" => Ok(Pattern::Suffix(text)),
        "label" if split_label(&text).is_none() => {
            Err("one * in a label in front of a domain is wanted".to_owned())
        }
        "label" => Ok(Pattern::Label(text)),
        "exact" if text.contains('*') => Err("a * is only known in label".to_owned()),
        "exact" => Ok(Pattern::Exact(text)),
        "prefix" | "contains" if text.len() < SHORTEST_PIECE => {
            Err(format!("shorter than {SHORTEST_PIECE} characters"))
        }
        "prefix" => Ok(Pattern::Prefix(text)),
        "contains" => Ok(Pattern::Contains(text)),
        "attribute" if !text.contains('=') => Err("expected KEY=VALUE".to_owned()),
        "attribute" => Ok(Pattern::Attribute(text)),
        "shape" => Shape::parse(&text).map(Pattern::Shape),
        "network" => network(&text),
        "bytes" => BytePattern::parse(&text).map(Pattern::Bytes),
        _ => ports(&text),
    }
}

fn is_domain(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'*');
    if name.len() > 253
        || name
            .split('.')
            .any(|label| label.is_empty() || !label.bytes().all(is_plain))
    {
        return Err("not a domain name".to_owned());
    }
    Ok(())
}

fn ports(text: &str) -> Result<Pattern, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let read = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    match (read(first), read(last)) {
        (Some(first), Some(last)) if first <= last => Ok(Pattern::Ports(first, last)),
        _ => Err("not a port or a range of ports".to_owned()),
    }
}

/// A network of which an address says something: not half the Internet.
fn network(text: &str) -> Result<Pattern, String> {
    let network: IpNet = text
        .parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "not an address or a network".to_owned())?;
    if network.prefix_len() < WIDEST_NETWORK {
        return Err(format!("wider than /{WIDEST_NETWORK}"));
    }
    if network.addr() != network.network() {
        return Err(format!("begins at {}", network.network()));
    }
    Ok(Pattern::Network(network))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Faults;

    fn vocabulary() -> Vocabulary {
        let text = include_str!("catalogue/vocabulary.toml");
        Vocabulary::parse(Path::new("vocabulary.toml"), text).unwrap()
    }

    fn faults(text: &str) -> String {
        Faults(entries(Path::new("my.toml"), text, &vocabulary()).1).to_string()
    }

    #[test]
    fn every_fault_of_a_file_is_named_with_line_and_field() {
        let text = r#"[[tool]]
id = "Wrong Id"
class = "remote-acces"
[[tool.indicator]]
field = "tls.snii"
suffix = "example.com"
weight = 400
source = "x"
[[tool.indicator]]
field = "port.tcp"
port = ["7070", "0", "9-1"]
weight = 20
alone = true
rol = "agent"
[[tool.indicator]]
field = "host.name"
suffix = "com"
label = "a.b.example.com"
contains = "example"
weight = 5
source = "x"
role = "sesion"
"#;
        assert_eq!(
            faults(text),
            "my.toml:2: tool.id: \"Wrong Id\": lower-case letters, digits and hyphens only\n\
             my.toml:3: tool.class: unknown class \"remote-acces\" (did you mean \"remote-access\"?)\n\
             my.toml:5: indicator.field: unknown field \"tls.snii\" (did you mean \"tls.sni\"?)\n\
             my.toml:7: indicator.weight: 400 is outside -40 to 40 decibans\n\
             my.toml:9: indicator.source: missing\n\
             my.toml:11: indicator.port: \"0\": not a port or a range of ports\n\
             my.toml:11: indicator.port: \"9-1\": not a port or a range of ports\n\
             my.toml:12: indicator.weight: a port is worth 10 decibans at most\n\
             my.toml:13: indicator.alone: a port never names a tool alone\n\
             my.toml:14: indicator.rol: unknown key (did you mean \"role\"?)\n\
             my.toml:17: indicator.suffix: \"com\": a whole top-level domain\n\
             my.toml:18: indicator.label: \"a.b.example.com\": one * in a label in front of a domain is wanted\n\
             my.toml:19: indicator.contains: this field is not matched in that way\n\
             my.toml:22: indicator.role: unknown role \"sesion\" (did you mean \"session\"?)"
        );
    }

    #[test]
    fn an_entry_without_a_source_or_an_indicator_is_refused() {
        let text = "[[tool]]\nid = \"x\"\nclass = \"vpn\"\n";
        assert_eq!(
            faults(text),
            "my.toml:1: tool.indicator: a tool needs at least one, or unseen with the reason"
        );
        let text = "[[tool]]\nid = \"x\"\nclass = \"vpn\"\n[[tool.indicator]]\nfield = \"app_proto\"\nexact = \"x\"\nweight = 5\nsource = \"\"\n";
        assert_eq!(faults(text), "my.toml:8: indicator.source: empty");
        assert_eq!(faults(""), "my.toml:1: tool: no entry");
    }

    #[test]
    fn a_shared_name_is_never_worth_much() {
        let text = "[[tool]]\nid = \"x\"\nclass = \"vpn\"\n[[tool.indicator]]\nfield = \"tls.sni\"\nsuffix = \"googleapis.com\"\nweight = 20\nalone = true\nsource = \"s\"\n";
        let faults = faults(text);
        assert!(
            faults
                .contains("7: indicator.weight: \"googleapis.com\", which many products share, is worth 10"),
            "{faults}"
        );
        assert!(faults.contains("8: indicator.alone"), "{faults}");
    }

    #[test]
    fn a_customers_name_on_a_shared_cloud_is_never_sure() {
        let entry = |weight: u32, name: &str| {
            format!(
                "[[tool]]\nid = \"x\"\nclass = \"vpn\"\n[[tool.indicator]]\nfield = \"host.name\"\n{name}\nweight = {weight}\nalone = true\nsource = \"s\"\n"
            )
        };
        for name in [
            "exact = \"account.s3.amazonaws.com\"",
            "suffix = \"account.azurewebsites.net\"",
            "label = \"*.account.cloudfront.net\"",
        ] {
            let found = faults(&entry(40, name));
            assert!(found.contains("7: indicator.weight: a name below"), "{found}");
            assert_eq!(faults(&entry(30, name)), "");
        }
    }

    #[test]
    fn what_the_network_never_shows_needs_the_reason_and_no_indicator() {
        let text = "[[tool]]\nid = \"x\"\nclass = \"equipment\"\nunseen = \"a cable\"\n";
        assert_eq!(faults(text), "my.toml:1: tool.source: missing");
        let text = format!("{text}source = \"s\"\n");
        let (read, _) = entries(Path::new("my.toml"), &text, &vocabulary());
        let tool = read.tools.first().unwrap();
        assert_eq!(tool.unseen.as_ref().unwrap().reason, "a cable");
        assert!(tool.sources().contains("s"));
        let both = format!(
            "{text}[[tool.indicator]]\nfield = \"port.tcp\"\nport = \"9\"\nweight = 5\nsource = \"s\"\n"
        );
        assert_eq!(faults(&both), "my.toml:4: tool.unseen: it has indicators");
    }

    #[test]
    fn networks_are_read_and_refused() {
        let entry = |network: &str| {
            format!(
                "[[tool]]\nid = \"x\"\nclass = \"vpn\"\n[[tool.indicator]]\nfield = \"ip.address\"\nnetwork = \"{network}\"\nweight = 5\nsource = \"s\"\n"
            )
        };
        for right in ["192.0.2.7", "198.51.100.0/24", "2001:db8::/32"] {
            assert_eq!(faults(&entry(right)), "");
        }
        for (wrong, reason) in [
            ("198.51.100.1/24", "begins at 198.51.100.0"),
            ("0.0.0.0/1", "wider than /8"),
            ("example.com", "not an address or a network"),
        ] {
            let faults = faults(&entry(wrong));
            assert!(faults.contains(reason), "{faults}");
        }
    }
}
