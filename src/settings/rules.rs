//! Thresholds of cues, of activity and of findings: the table `[rules]` of the model's weights file, which says where each comes from.

use serde::Deserialize;

use crate::model::watched::DayRule;

/// What a capture must hold before a cue may speak.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Fewest minutes of human activity for coverage.
    pub cover_active_minutes: u32,
    /// Fewest days of these.
    pub cover_days: u32,
    /// Fewest active days before local use is called absent.
    pub local_days: u32,
    /// Fewest minutes of watching before sessions are called short or of middle length.
    pub session_watch_minutes: u32,
    /// Sessions shorter than this on average are short.
    pub session_short_minutes: u32,
    /// Intervals closer than this are one sitting.
    pub session_breath_seconds: u32,
    /// Sittings closer than this are one session, where nobody was away for more than so many times what was worked.
    pub session_gap_seconds: u32,
    /// See above.
    pub session_pause_ratio: u32,
    /// Share of the time of a session during which who controls must be controlled himself, for his machine to be a stepping stone.
    pub stone_share: f64,
    /// Days within which two tools are two at once.
    pub two_tools_days: u32,
    /// From so many minutes a day on, sessions are long.
    pub session_long_minutes_per_day: u32,
    /// Fewest active days for working hours.
    pub hours_days: u32,
    /// Fewest concentration of the hours (3.8).
    pub hours_concentration: f64,
    /// Natural log-odds of a pair's focus test from which two machines are driven in turn: Z of -4 at a slope of -.5.
    pub focus_turns_nats: f64,
    /// Share of a group's pairs that may come out in turn by chance.
    pub focus_chance_share: f64,
    /// Those within which they are driven independently: Z of 3.
    pub focus_independent_nats: f64,
    /// Those down to which they are driven together.
    pub focus_together_nats: f64,
    /// Homes are apart from this distance on.
    pub assignees_apart_km: f64,
    /// Share of the days with a known public address from which on one address is a machine's place.
    pub usual_place_share: f64,
    /// Words in the inventory's `site` that mean "not at a site".
    pub remote_sites: Vec<String>,
    /// More than this share of a group's machines are most of them.
    pub most_share: f64,
    /// A tool on more than this share of an employer's machines is policy.
    pub prevalent_share: f64,
    /// Fewest machines for that.
    pub prevalent_machines: u32,
    /// Most counterfactuals that a report shows.
    pub most_counterfactuals: usize,
    /// Machines under a control that nobody sanctioned, at which the levels of `n_rc` begin.
    pub n_rc: [usize; 5],
    /// Shares of the activity inside sessions, between the levels of `cover`.
    pub cover: [f64; 3],
    /// Organisations at which the levels of `tenants` begin.
    pub tenants: [usize; 3],
    /// Countries from which controllers come where machines look let to customers.
    pub customers_countries: usize,
    /// Declared homes at which the levels of `assignees` begin.
    pub assignees: [usize; 2],
    /// IP KVMs at which the levels of `kvm` begin.
    pub kvm: [usize; 2],
    /// Hours between two centres of activity, between the levels of `hours`; findings about hours use them too.
    pub hours: [f64; 2],
    /// Milliseconds between the levels of `xrtt`.
    pub xrtt_ms: [f64; 2],
    /// What tells a server from a computer that somebody works at.
    pub servers: ServerRules,
    /// When a day counts as watched.
    pub working_day: DayRule,
    /// What activity at a machine says.
    pub activity: ActivityRules,
    /// What findings weigh.
    pub findings: FindingRules,
}

/// What tells a server from a computer that somebody works at.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerRules {
    /// Machines outside the group to which a server offers its services, at least.
    pub peers: usize,
    /// Parts of names that mean a server, in lower case.
    pub names: Vec<String>,
    /// Parts of names that mean somebody's own computer, whatever else stands beside them.
    pub personal: Vec<String>,
}

/// What activity at a machine says of who is at it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityRules {
    /// Minutes outside sessions from which somebody sits at the machine.
    pub present_minutes: usize,
    /// Minutes outside sessions up to which, over enough days, nobody does.
    pub absent_minutes: usize,
    /// Minutes below which nothing can be said of where activity comes from.
    pub least_minutes: usize,
    /// Minutes around a session that still belong to it.
    pub margin_minutes: u32,
    /// Hours of activity a day, on average, beyond which programs are mistaken for people.
    pub restless_hours: usize,
    /// Days on which that is looked at.
    pub restless_days: usize,
    /// Minutes for which who gave input still looks on while the screen is sent.
    pub reading_minutes: u32,
    /// Octets of a tunnel from which somebody used it.
    pub tunnelled_octets: u64,
    /// Minutes before a session in which nobody may have been active at the machine.
    pub unattended_minutes: u32,
    /// Sessions of a day that begin unattended.
    pub unattended_sessions: usize,
    /// Days with so many.
    pub unattended_days: usize,
}

/// What findings weigh, in decibans, and from which score on they are believed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingRules {
    /// Score from which a finding is sure of what it is.
    pub high: i32,
    /// Score from which it is probably so.
    pub medium: i32,
    /// What the form of remote control adds to a weak name.
    pub form: i32,
    /// By how much a name is less sure where the traffic has a form that no remote control has: one step of confidence at least.
    pub less: i32,
    /// Programs that no signature knows and that have that form.
    pub unknown: Unknown,
    /// Hours.
    pub schedule: Schedule,
    /// Round trips.
    pub delay: Delay,
    /// Places.
    pub place: Place,
    /// Tunnels that no signature knows.
    pub tunnel: Tunnel,
}

/// Remote control by its form alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unknown {
    /// Weight of a long session that the host opened.
    pub long: f64,
    /// Of any other.
    pub short: f64,
}

/// Hours against the declared ones: how many from where on, stands with the cue's levels.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Weight of centres beyond the second of the cue's edges.
    pub far: f64,
    /// Beyond the first.
    pub near: f64,
    /// Hours without a pause that are more than one person's.
    pub unbroken_hours: f64,
    /// Weight of that.
    pub unbroken: f64,
    /// Weight of hours that stay when the declared zone's clocks change.
    pub clock_change: f64,
}

/// Round trips against a claimed place, and loops against their transport.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// Weight of a place that physics rules out.
    pub impossible: f64,
    /// Of a round trip much longer than the way.
    pub slow: f64,
    /// Of a longer loop on which both estimators agree.
    pub loop_agreed: f64,
    /// Of one that only the first calls so.
    pub loop_alone: f64,
    /// Milliseconds by which a loop must be longer.
    pub loop_ms: f64,
}

/// Places against the claimed one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Days that are needed before anything counts as lasting.
    pub days: usize,
    /// Share of the days above which it lasts.
    pub lasting: f64,
    /// Weight of whatever an address cannot carry more of.
    pub weak: f64,
    /// Of another country that lasts.
    pub country_lasting: f64,
    /// Of one that was seen on few days.
    pub country_brief: f64,
    /// Of a controller in another country.
    pub driven_from: f64,
    /// Of an exit that hides where its users are.
    pub hidden_egress: f64,
    /// Of a way that nobody travels in the time.
    pub impossible_travel: f64,
    /// Kilometres an hour beyond which nobody travels.
    pub travel_kmh: f64,
    /// Kilometres within which databases err beyond their own radius.
    pub travel_km: f64,
    /// Of countries that change as no journey has it.
    pub several_countries: f64,
    /// Changes from which they do.
    pub many_changes: usize,
    /// Kilometres from which a gap within one country says something.
    pub distance_km: f64,
    /// Of one other person's machine behind the same address.
    pub shared_by_two: f64,
    /// Of several.
    pub shared_by_more: f64,
    /// Kilometres between two homes from which people live apart.
    pub apart_km: f64,
    /// People behind one address beyond which it is an exit of many.
    pub crowd: usize,
}

/// Tunnels by what they look like.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tunnel {
    /// Weight of echoes that carry little of their own.
    pub icmp_little: f64,
    /// Of much.
    pub icmp_much: f64,
    /// Of one connection with the lengths of a handshake inside.
    pub nested_tls_one: f64,
    /// Of several.
    pub nested_tls_several: f64,
    /// Of connections with the lengths of OpenVPN's handshake inside.
    pub openvpn_inside: f64,
    /// Of streams that are encrypted from their first octet.
    pub encrypted_start: f64,
    /// Of HTTP whose bodies are like chance.
    pub http_little: f64,
    /// Of much of it, or of answers that wait.
    pub http_much: f64,
    /// Of questions of types that hosts do not ask for.
    pub dns_types: i32,
    /// Of questions of types whose answers have room for data.
    pub dns_roomy: i32,
    /// Of names with octets that no host name has.
    pub dns_octets: i32,
    /// Of some different long names below one zone.
    pub dns_some: i32,
    /// Of many.
    pub dns_many: i32,
    /// Of names as random as chance.
    pub dns_entropy: i32,
    /// Of several names in hellos that nobody asked for, such as Tor makes up.
    pub tor_names: f64,
    /// Of a hello of Tor's beside such a name.
    pub tor_hello: f64,
    /// Of a relay's usual port beside either.
    pub tor_port: f64,
}

impl Rules {
    /// Those that are part of the program.
    #[cfg(test)]
    pub(crate) fn shipped() -> &'static Self {
        static SHIPPED: std::sync::LazyLock<Rules> = std::sync::LazyLock::new(|| {
            let file: toml::Table = include_str!("../explain/weights.toml").parse().unwrap();
            file["rules"].clone().try_into().unwrap()
        });
        &SHIPPED
    }

    /// What contradicts itself: the name of the entry, and what is wrong with it.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let ascending = [
            ("rules.n_rc", is_ascending(&self.n_rc)),
            ("rules.cover", is_ascending(&self.cover)),
            ("rules.tenants", is_ascending(&self.tenants)),
            ("rules.assignees", is_ascending(&self.assignees)),
            ("rules.kvm", is_ascending(&self.kvm)),
            ("rules.hours", is_ascending(&self.hours)),
            ("rules.xrtt_ms", is_ascending(&self.xrtt_ms)),
            (
                "rules.activity: absent_minutes and present_minutes",
                self.activity.absent_minutes < self.activity.present_minutes,
            ),
            (
                "rules.findings: medium and high",
                self.findings.medium < self.findings.high,
            ),
        ];
        if let Some((entry, _)) = ascending.into_iter().find(|(_, is_sound)| !is_sound) {
            return Some((entry, "does not ascend".to_owned()));
        }
        [
            ("rules.hours_concentration", self.hours_concentration),
            ("rules.focus_chance_share", self.focus_chance_share),
            ("rules.usual_place_share", self.usual_place_share),
            ("rules.prevalent_share", self.prevalent_share),
            ("rules.most_share", self.most_share),
            ("rules.stone_share", self.stone_share),
            ("rules.working_day.least_share", self.working_day.least_share),
            ("rules.findings.place.lasting", self.findings.place.lasting),
        ]
        .into_iter()
        .chain(self.cover.map(|edge| ("rules.cover", edge)))
        .find(|(_, share)| !(0.0..=1.0).contains(share))
        .map(|(entry, share)| (entry, format!("{share} is no share")))
    }
}

/// Whether each is more than the one before; what is no number is not.
fn is_ascending<T: PartialOrd>(edges: &[T]) -> bool {
    edges
        .iter()
        .zip(edges.iter().skip(1))
        .all(|(one, next)| one < next)
}
