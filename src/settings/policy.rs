//! The policy: what is sanctioned, which countries matter, which thresholds hold. A TOML file of the user.
//!
//! ```toml
//! allowed_tools = ["screenconnect"]          # sanctioned for everybody
//! allowed_egress = ["198.51.100.0/24"]       # exits of the company's VPN
//! watched_countries = ["KP", "CN", "RU"]
//! expected_countries = ["US"]
//!
//! [[instance]]                               # a tool that is sanctioned as one tenant's only
//! tool = "screenconnect"
//! names = ["instance-abc123-relay.screenconnect.com"]
//! addresses = ["203.0.113.5"]
//!
//! [[site]]                                   # places where many machines are expected
//! name = "Leeds office"
//! kind = "office"
//! networks = ["192.0.2.0/24"]
//! latitude = 53.8
//! longitude = -1.55
//! allowed_tools = ["rdp"]
//!
//! [[watched_vpn]]                            # a VPN service that matters to the user, beside those of the catalogue
//! provider = "Example VPN"                   # or an identifier of the catalogue
//! networks = ["203.0.113.192/28"]            # its exits, which age within weeks
//! date = "2026-09-01"
//!
//! [thresholds]
//! confidence = "medium"
//! verdict = "review"
//!
//! [heuristics]                               # tests that much else meets too; off by default
//! encrypted_start = true
//! nested_tls = true
//! openvpn_inside = true
//! ```

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::country;
use super::watched_vpn::WatchedVpn;
use crate::document::{Document, Fault, Faults, Item, Table, did_you_mean};

/// One tenant's use of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// The tool.
    pub tool: String,
    /// Host names of the tenant, lower case; a leading `*.` means everything below.
    pub names: Vec<String>,
    /// Addresses of the tenant.
    pub addresses: Vec<IpNet>,
}

/// What kind of place a site is (DETECTION 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteKind {
    /// An own office.
    Office,
    /// A customer's office.
    Client,
    /// A place shared by unrelated people.
    Coworking,
    /// A dormitory or shared house.
    Dorm,
    /// A data centre.
    Datacenter,
    /// A home.
    Home,
}

impl SiteKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Office,
        Self::Client,
        Self::Coworking,
        Self::Dorm,
        Self::Datacenter,
        Self::Home,
    ];

    /// Its word in policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Office => "office",
            Self::Client => "client",
            Self::Coworking => "coworking",
            Self::Dorm => "dorm",
            Self::Datacenter => "datacenter",
            Self::Home => "home",
        }
    }
}

/// A declared place.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its name, as inventories write it.
    pub name: String,
    /// What kind of place it is.
    pub kind: SiteKind,
    /// Its addresses, public or private.
    pub networks: Vec<IpNet>,
    /// Latitude and longitude in degrees.
    pub coordinates: Option<(f64, f64)>,
    /// Tools sanctioned there.
    pub allowed_tools: Vec<String>,
}

/// The policy. The default sanctions nothing and watches no country.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// Tools sanctioned everywhere, in whatever instance.
    pub allowed_tools: Vec<String>,
    /// Tools sanctioned as certain instances.
    pub instances: Vec<Instance>,
    /// Sanctioned exits of VPNs and gateways.
    pub allowed_egress: Vec<IpNet>,
    /// Countries from which control is never expected, alpha-2, upper case.
    pub watched_countries: Vec<String>,
    /// Countries in which people work.
    pub expected_countries: Vec<String>,
    /// Declared places.
    pub sites: Vec<Site>,
    /// VPN services that matter, beside those of the catalogue.
    pub watched_vpns: Vec<WatchedVpn>,
    /// Least confidence of a finding that is shown: `low`, `medium` or `high`.
    pub least_confidence: Option<String>,
    /// Least verdict of a farm or host that is shown.
    pub least_verdict: Option<String>,
    /// Tests that much else meets too.
    pub heuristics: Heuristics,
}

/// Tests that much else meets too: each off unless it is asked for, and what it finds is of low confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heuristics {
    /// Streams that are encrypted from their first octet.
    pub encrypted_start: bool,
    /// TLS connections whose first records have the lengths of a handshake inside.
    pub nested_tls: bool,
    /// Connections whose first packets, or records of TLS, have the lengths of OpenVPN's handshake.
    pub openvpn_inside: bool,
}

const CONFIDENCES: [&str; 3] = ["low", "medium", "high"];
const VERDICTS: [&str; 5] = ["none", "note", "review", "likely", "strong"];

impl Policy {
    /// Reads a policy file. `tools` are the catalogue's ids.
    pub fn read(path: &Path, tools: &[&str]) -> Result<Self, Faults> {
        let text = fs::read_to_string(path).map_err(|cause| {
            Faults(vec![Fault {
                path: path.to_owned(),
                line: 0,
                field: String::new(),
                what: cause.to_string(),
            }])
        })?;
        Self::parse(path, &text, tools)
    }

    /// Reads the text of a policy; a wrong one is refused whole, with everything that is wrong.
    pub fn parse(path: &Path, text: &str, tools: &[&str]) -> Result<Self, Faults> {
        let document = Document::parse(path, text)?;
        let root = document.root();
        let mut policy = Self {
            allowed_tools: known_tools(&root, "allowed_tools", tools),
            instances: root
                .tables("instance")
                .iter()
                .map(|table| instance(table, tools))
                .collect(),
            allowed_egress: networks(&root, "allowed_egress"),
            watched_countries: countries(&root, "watched_countries"),
            expected_countries: countries(&root, "expected_countries"),
            sites: root
                .tables("site")
                .iter()
                .filter_map(|table| site(table, tools))
                .collect(),
            watched_vpns: root
                .tables("watched_vpn")
                .iter()
                .map(|table| WatchedVpn::read(table, tools))
                .collect(),
            least_confidence: None,
            least_verdict: None,
            heuristics: Heuristics::default(),
        };
        if let Some(country) = policy
            .watched_countries
            .iter()
            .find(|code| policy.expected_countries.contains(*code))
        {
            root.fault(
                "watched_countries",
                format!("{country:?} is among the expected countries too"),
            );
        }
        if let Some(thresholds) = root.table("thresholds") {
            policy.least_confidence = one_of(&thresholds, "confidence", &CONFIDENCES);
            policy.least_verdict = one_of(&thresholds, "verdict", &VERDICTS);
            thresholds.refuse_unknown();
        }
        if let Some(heuristics) = root.table("heuristics") {
            policy.heuristics.encrypted_start = heuristics.flag("encrypted_start").unwrap_or(false);
            policy.heuristics.nested_tls = heuristics.flag("nested_tls").unwrap_or(false);
            policy.heuristics.openvpn_inside = heuristics.flag("openvpn_inside").unwrap_or(false);
            heuristics.refuse_unknown();
        }
        root.refuse_unknown();
        drop(root);
        document.finish(policy)
    }

    /// Whether `tool` is sanctioned for everybody in any instance.
    #[must_use]
    pub fn sanctions(&self, tool: &str) -> bool {
        self.allowed_tools.iter().any(|allowed| allowed == tool)
    }

    /// Whether `tool` is sanctioned in the instance reached under one of `names` or at `address`. It is not where one of the
    /// names is that of another customer's instance (`instance-` and its identifier): the company's own beside a stranger's.
    #[must_use]
    pub fn sanctions_instance(&self, tool: &str, names: &[&str], address: Option<IpAddr>) -> bool {
        let of_tool = || self.instances.iter().filter(|instance| instance.tool == tool);
        let is_declared =
            |name: &str| of_tool().any(|instance| instance.names.iter().any(|rule| is_below(name, rule)));
        let is_there = |ip: IpAddr| {
            of_tool().any(|instance| instance.addresses.iter().any(|network| network.contains(&ip)))
        };
        let has_stranger = names
            .iter()
            .any(|name| name.starts_with("instance-") && !is_declared(name));
        !has_stranger && (names.iter().any(|name| is_declared(name)) || address.is_some_and(is_there))
    }

    /// Whether `ip` is a sanctioned exit.
    #[must_use]
    pub fn sanctions_egress(&self, ip: IpAddr) -> bool {
        self.allowed_egress.iter().any(|network| network.contains(&ip))
    }

    /// The declared site to which `ip` belongs: the one with the longest prefix.
    #[must_use]
    pub fn site_of(&self, ip: IpAddr) -> Option<&Site> {
        let length = |site: &&Site| {
            site.networks
                .iter()
                .filter(|net| net.contains(&ip))
                .map(IpNet::prefix_len)
                .max()
        };
        self.sites
            .iter()
            .filter(|site| length(site).is_some())
            .max_by_key(|site| length(site))
    }

    /// The declared site of this name.
    #[must_use]
    pub fn site(&self, name: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.name == name)
    }
}

/// Whether `name` is `rule`, or below it where the rule begins with `*.`.
fn is_below(name: &str, rule: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    match rule.strip_prefix('*') {
        Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
        None => name == rule,
    }
}

fn instance(table: &Table<'_>, tools: &[&str]) -> Instance {
    let tool = table.required_text("tool").unwrap_or_default();
    let known = known_tool(tool, tools);
    if !tool.is_empty() && known.is_none() {
        table.fault("tool", unknown_tool(tool, tools));
    }
    let instance = Instance {
        tool: known.unwrap_or(tool).to_owned(),
        names: table
            .texts("names")
            .iter()
            .map(|item| item.text.to_ascii_lowercase())
            .collect(),
        addresses: networks(table, "addresses"),
    };
    if !table.has("names") && !table.has("addresses") {
        table.fault("names", "missing: an instance needs names or addresses");
    }
    table.refuse_unknown();
    instance
}

fn site(table: &Table<'_>, tools: &[&str]) -> Option<Site> {
    let name = table.required_text("name");
    if !table.has("kind") {
        table.fault("kind", "missing");
    }
    let word = one_of(table, "kind", &SiteKind::ALL.map(SiteKind::name));
    let kind = word.and_then(|word| SiteKind::ALL.into_iter().find(|kind| kind.name() == word));
    let (latitude, longitude) = (table.number("latitude"), table.number("longitude"));
    for (key, value, most) in [("latitude", latitude, 90.0), ("longitude", longitude, 180.0)] {
        if value.is_some_and(|degrees| !(-most..=most).contains(&degrees)) {
            table.fault(key, format!("outside -{most} to {most} degrees"));
        }
    }
    if latitude.is_some() != longitude.is_some() {
        table.fault("latitude", "latitude and longitude only together");
    }
    let (networks, allowed_tools) = (
        networks(table, "networks"),
        known_tools(table, "allowed_tools", tools),
    );
    table.refuse_unknown();
    Some(Site {
        name: name?.to_owned(),
        kind: kind?,
        networks,
        coordinates: latitude.zip(longitude),
        allowed_tools,
    })
}

fn one_of(table: &Table<'_>, key: &'static str, words: &[&'static str]) -> Option<String> {
    let word = table.text(key)?;
    if !words.contains(&word) {
        let meant = did_you_mean(word, words.iter().copied());
        table.fault(key, format!("{word:?} is none of {}{meant}", words.join(", ")));
        return None;
    }
    Some(word.to_owned())
}

/// The catalogue's id for a tool that somebody names; letters count without case.
pub(super) fn known_tool<'a>(tool: &str, tools: &[&'a str]) -> Option<&'a str> {
    let tool = tool.trim();
    tools
        .iter()
        .find(|known| known.eq_ignore_ascii_case(tool))
        .copied()
}

/// The words for a tool that the catalogue does not know.
pub(super) fn unknown_tool(tool: &str, tools: &[&str]) -> String {
    format!(
        "unknown tool {tool:?}{}",
        did_you_mean(tool, tools.iter().copied())
    )
}

fn known_tools(table: &Table<'_>, key: &'static str, tools: &[&str]) -> Vec<String> {
    let known = |item: Item<'_>| {
        if let Some(id) = known_tool(item.text, tools) {
            return Some(id.to_owned());
        }
        table.fault_in(key, item, unknown_tool(item.text, tools));
        None
    };
    table.texts(key).into_iter().filter_map(known).collect()
}

pub(super) fn networks(table: &Table<'_>, key: &'static str) -> Vec<IpNet> {
    let read = |item: Item<'_>| {
        let network = network(item.text);
        if network.is_none() {
            table.fault_in(
                key,
                item,
                format!("{:?} is neither an address nor a network (CIDR)", item.text),
            );
        }
        network
    };
    table.texts(key).into_iter().filter_map(read).collect()
}

/// A network, or an address as the network of itself.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn countries(table: &Table<'_>, key: &'static str) -> Vec<String> {
    let read = |item: Item<'_>| {
        let code = country::code(item.text);
        if code.is_none() {
            table.fault_in(key, item, country::complaint(item.text));
        }
        code
    };
    table.texts(key).into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOLS: [&str; 4] = ["anydesk", "rdp", "screenconnect", "teamviewer"];

    fn parse(text: &str) -> Result<Policy, Faults> {
        Policy::parse(Path::new("policy.toml"), text, &TOOLS)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_whole_policy_is_read() {
        let policy = parse(
            r#"
allowed_tools = ["rdp"]
allowed_egress = ["198.51.100.0/24", "2001:db8::1"]
watched_countries = ["kp", "CN"]
expected_countries = "US"
[[instance]]
tool = "screenconnect"
names = ["instance-abc123-relay.screenconnect.com", "*.Relay.example"]
addresses = ["203.0.113.5"]
[[site]]
name = "Leeds"
kind = "office"
networks = ["192.0.2.0/24"]
latitude = 53.8
longitude = -1
[[site]]
name = "Lab"
kind = "datacenter"
networks = ["192.0.2.128/25"]
[thresholds]
confidence = "medium"
verdict = "review"
[heuristics]
encrypted_start = true
nested_tls = true
openvpn_inside = true
"#,
        )
        .unwrap();
        assert!(policy.sanctions("rdp") && !policy.sanctions("anydesk"));
        assert!(policy.sanctions_egress(ip("198.51.100.7")) && policy.sanctions_egress(ip("2001:db8::1")));
        assert!(policy.sanctions_instance(
            "screenconnect",
            &["Instance-ABC123-relay.screenconnect.com."],
            None
        ));
        assert!(policy.sanctions_instance("screenconnect", &["a.relay.example"], None));
        assert!(!policy.sanctions_instance("screenconnect", &["relay.example"], None));
        assert!(policy.sanctions_instance("screenconnect", &[], Some(ip("203.0.113.5"))));
        // The company's own instance beside a stranger's does not make the stranger's allowed.
        let both = ["a.relay.example", "instance-ab12cd-relay.screenconnect.com"];
        assert!(!policy.sanctions_instance("screenconnect", &both, Some(ip("203.0.113.5"))));
        assert!(!policy.sanctions_instance("anydesk", &["a.relay.example"], Some(ip("203.0.113.5"))));
        let heuristics = policy.heuristics;
        assert!(heuristics.encrypted_start && heuristics.nested_tls && heuristics.openvpn_inside);
        assert_eq!(policy.watched_countries, ["KP", "CN"]);
        assert_eq!(policy.site_of(ip("192.0.2.200")).unwrap().name, "Lab");
        assert_eq!(policy.site_of(ip("192.0.2.1")).unwrap().kind, SiteKind::Office);
        assert_eq!(policy.site("Leeds").unwrap().coordinates, Some((53.8, -1.0)));
        assert!(policy.site_of(ip("10.0.0.1")).is_none());
    }

    #[test]
    fn an_unknown_tool_is_named_with_file_line_field_and_what_was_meant() {
        let faults = parse("\n\nallowed_tools = [\n  \"rdp\",\n  \"anydesl\",\n]\n").unwrap_err();
        assert_eq!(
            faults.to_string(),
            "policy.toml:5: allowed_tools: unknown tool \"anydesl\" (did you mean \"anydesk\"?)"
        );
    }

    #[test]
    fn tools_are_known_without_case() {
        let policy = parse("allowed_tools = [\"RDP\"]\n").unwrap();
        assert!(policy.allowed_tools.iter().any(|tool| tool == "rdp"));
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let faults = parse(
            "allowed_egres = []\nwatched_countries = [\"UK\", \"US\"]\nexpected_countries = [\"US\"]\n\
             [[instance]]\ntool = \"rpd\"\n[[site]]\nname = \"x\"\nkind = \"ofice\"\nnetworks = [\"x\"]\nlatitude = 95\n\
             [thresholds]\nverdict = \"certain\"\n",
        )
        .unwrap_err()
        .to_string();
        for line in [
            "policy.toml:1: allowed_egres: unknown key (did you mean \"allowed_egress\"?)",
            "policy.toml:2: watched_countries: \"UK\" is not a country code of two letters (ISO 3166-1); United Kingdom has GB",
            "policy.toml:2: watched_countries: \"US\" is among the expected",
            "policy.toml:4: instance.names: missing",
            "policy.toml:5: instance.tool: unknown tool \"rpd\"",
            "policy.toml:8: site.kind: \"ofice\" is none of office, client, coworking, dorm, datacenter, home (did you mean \"office\"?)",
            "policy.toml:9: site.networks: \"x\" is neither",
            "policy.toml:10: site.latitude: outside -90 to 90 degrees",
            "policy.toml:12: thresholds.verdict: \"certain\" is none of",
        ] {
            assert!(faults.contains(line), "{line}\nnot in\n{faults}");
        }
    }

    #[test]
    fn an_empty_policy_sanctions_nothing() {
        assert_eq!(parse("").unwrap(), Policy::default());
        let error = Policy::read(Path::new("/nonexistent/policy.toml"), &TOOLS)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("/nonexistent/policy.toml: "), "{error}");
    }
}
