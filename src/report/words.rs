//! Words for people, the same in every format: explanations, states, verdicts, times, places, evidence.

use crate::model::case::Case;
use crate::model::evidence::{Evidence, State};
use crate::model::finding::{Controller, Finding, PlaceRecord};
use crate::model::group::Operation;
use crate::model::host::{Explanations, HostRecord, Verdict};
use crate::model::identity::ContentId;
use crate::model::quantity;
pub use crate::model::quantity::{counted, span};
use crate::model::thresholds::THRESHOLDS;
use crate::model::time::Timestamp;

use super::escape::{LONGEST_SHOWN, line};

/// Most frames that one citation names.
pub const FRAMES: usize = 4;

/// The number behind a finding's confidence, and where it was cut what its evidence has together.
#[must_use]
pub fn score(finding: &Finding) -> String {
    let together: f64 = finding.evidence.iter().map(|one| one.weight.0).sum();
    let highest = f64::from(THRESHOLDS.finding.highest_score);
    if finding.score.0 >= highest && together > highest + 0.05 {
        format!(
            "{:+.1} dB (capped: its evidence has {together:+.1} dB together, and no more than {highest:+.1} dB counts)",
            finding.score.0
        )
    } else {
        format!("{:+.1} dB", finding.score.0)
    }
}

/// An explanation, its key in records, its words, its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explanation {
    /// As records name it.
    pub key: &'static str,
    /// In words that follow "consistent with".
    pub words: &'static str,
    /// Posterior.
    pub probability: f64,
}

/// All explanations, the most probable first; equal ones in the order of the records.
#[must_use]
pub fn ranked(explanations: &Explanations) -> [Explanation; 8] {
    let mut all = in_order(explanations);
    all.sort_by(|one, other| other.probability.total_cmp(&one.probability));
    all
}

/// All explanations in the order of the records.
#[must_use]
pub fn in_order(explanations: &Explanations) -> [Explanation; 8] {
    let of = |key, words, probability| Explanation {
        key,
        words,
        probability,
    };
    [
        of(
            "farm",
            "a laptop farm: several machines worked from elsewhere",
            explanations.farm,
        ),
        of("solo", "one machine worked from elsewhere", explanations.solo),
        of("msp", "a managed site or IT support", explanations.msp),
        of(
            "vdi",
            "an office, terminal server, call centre or machines for rent",
            explanations.vdi,
        ),
        of(
            "shared",
            "a shared house, co-working space or shared address",
            explanations.shared,
        ),
        of(
            "travel",
            "a travelling or expatriate employee",
            explanations.travel,
        ),
        of("self", "an owner who reaches the own machine", explanations.own),
        of("normal", "ordinary use", explanations.normal),
    ]
}

/// Whether anything was explained at all.
#[must_use]
pub fn is_explained(explanations: &Explanations) -> bool {
    ranked(explanations)
        .first()
        .is_some_and(|one| one.probability > 0.0)
}

/// A probability as texts for people show it.
#[must_use]
pub fn probability(value: f64) -> String {
    quantity::probability(value, 3)
}

/// A state in one word.
#[must_use]
pub const fn state(state: State) -> &'static str {
    match state {
        State::Observed => "seen",
        State::Absent => "not there",
        State::NotObservable => "not observable",
    }
}

/// What a verdict asks of its reader.
#[must_use]
pub const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::None => "no group and no host looks worked from elsewhere by somebody who should not",
        Verdict::Note => "worth a line, no more",
        Verdict::Review => "a person should look",
        Verdict::Likely => "look soon",
        Verdict::Strong => "look now, other explanations fit far worse",
    }
}

/// Date and time to the second in UTC, for people: `2026-03-02 13:00:00`. Whoever shows it says beside it that it is UTC.
#[must_use]
pub fn time(at: Timestamp) -> String {
    let text = at.to_text();
    let text = text.as_str();
    let (date, rest) = text.split_once('T').unwrap_or((text, ""));
    format!("{date} {}", rest.get(..8).unwrap_or_default())
}

/// From one moment to another: the date only once where it is the same.
#[must_use]
pub fn range(start: Timestamp, end: Timestamp) -> String {
    let (from, to) = (time(start), time(end));
    let to = match (from.split_once(' '), to.split_once(' ')) {
        (Some((day, _)), Some((same, clock))) if day == same => clock,
        _ => &to,
    };
    format!("{from} to {to}")
}

/// Time of the day to the minute: `13:05`.
#[must_use]
pub fn clock(at: Timestamp) -> String {
    at.to_text().as_str().get(11..16).unwrap_or_default().to_owned()
}

/// Bytes for people, in powers of 1000.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let mut value = count as f64;
    let mut unit = "B";
    for name in UNITS {
        unit = name;
        if value < 1_000.0 {
            break;
        }
        if name != "TB" {
            value /= 1_000.0;
        }
    }
    if unit == "B" {
        format!("{count} B")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// Where the frames of an item of evidence stand: `home.pcapng:17,18`. Empty where it cites none.
#[must_use]
pub fn frames(case: &Case, evidence: &Evidence) -> String {
    frames_up_to(case, evidence, FRAMES)
}

/// The same with at most so many frames.
#[must_use]
pub fn frames_up_to(case: &Case, evidence: &Evidence, most: usize) -> String {
    if evidence.frames.is_empty() {
        return String::new();
    }
    let capture = evidence.capture.unwrap_or(0);
    let path = case.summary.captures.get(usize::from(capture));
    let name = path.map_or_else(|| format!("capture {capture}"), |one| file_name(&one.path));
    let mut text: Vec<String> = evidence.frames.iter().take(most).map(u64::to_string).collect();
    if evidence.frames.len() > most {
        text.push("…".to_owned());
    }
    format!("{name}:{}", text.join(","))
}

/// The last part of a path, which names a capture well enough on a line; escaped, because files may be called anything.
#[must_use]
pub fn file_name(path: &str) -> String {
    line(path.rsplit(['/', '\\']).next().unwrap_or(path), 60).into_owned()
}

/// A host as one recognises it: its best name and an address.
#[must_use]
pub fn host(host: &HostRecord) -> String {
    let name = host.names.first().map(|one| line(&one.name, 40));
    let address = host.ips.first().map(|one| line(one, 64));
    match (name, address) {
        (Some(name), Some(address)) => format!("{name} ({address})"),
        (Some(text), None) | (None, Some(text)) => text.into_owned(),
        (None, None) => host.host.to_string(),
    }
}

/// A place on one line: `US, Phoenix, AS64500 Example Net (residential)`.
#[must_use]
pub fn place(place: &PlaceRecord) -> String {
    let mut parts = Vec::new();
    parts.extend(place.country.as_deref().map(|one| line(one, 8).into_owned()));
    parts.extend(place.city.as_deref().map(|one| line(one, 40).into_owned()));
    let asn = place.asn.map(|asn| format!("AS{asn}"));
    let organisation = place.as_org.as_deref().map(|one| line(one, 60).into_owned());
    match (asn, organisation) {
        (Some(asn), Some(organisation)) => parts.push(format!("{asn} {organisation}")),
        (Some(text), None) | (None, Some(text)) => parts.push(text),
        (None, None) => {}
    }
    let text = parts.join(", ");
    match &place.kind {
        Some(kind) if text.is_empty() => line(kind, 30).into_owned(),
        Some(kind) => format!("{text} ({})", line(kind, 30)),
        None => text,
    }
}

/// A controller: address, how it was learnt, where it is.
#[must_use]
pub fn controller(controller: &Controller) -> String {
    let mut text = format!("{} ({})", controller.address, line(&controller.how, 40));
    if let Some(geo) = &controller.geo {
        let place = place(geo);
        if !place.is_empty() {
            text = format!("{text}, {place}");
        }
    }
    text
}

/// The other end of a finding: name, address and port as far as known.
#[must_use]
pub fn peer(finding: &Finding) -> String {
    let name = finding.peer_name.as_deref().map(|one| line(one, 80));
    let address = finding.peer.as_deref().map(|one| line(one, 64));
    let mut text = match (name, address) {
        (Some(name), Some(address)) => format!("{name} ({address})"),
        (Some(text), None) | (None, Some(text)) => text.into_owned(),
        (None, None) => return String::new(),
    };
    if let Some(port) = finding.peer_port {
        text = format!("{text} port {port}");
    }
    text
}

/// A text from outside, on one line and of bounded length.
#[must_use]
pub fn shown(text: &str) -> String {
    line(text, LONGEST_SHOWN).into_owned()
}

/// A sentence that the analysis wrote, which may quote texts from outside: longer, but still one line.
#[must_use]
pub fn sentence(text: &str) -> String {
    line(text, 4 * LONGEST_SHOWN).into_owned()
}

/// Hours of the day as ranges: `13-17, 20`.
#[must_use]
pub fn hours(hours: &[u8]) -> String {
    let mut sorted = hours.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for hour in sorted {
        match ranges.last_mut() {
            Some((_, last)) if last.saturating_add(1) == hour => *last = hour,
            _ => ranges.push((hour, hour)),
        }
    }
    let texts: Vec<String> = ranges
        .iter()
        .map(|(first, last)| {
            if first == last {
                format!("{first:02}")
            } else {
                format!("{first:02}-{last:02}")
            }
        })
        .collect();
    texts.join(", ")
}

/// An operation as one of its groups tells it: which others there are, and what they share.
#[must_use]
pub fn operation(operation: &Operation, own: ContentId) -> String {
    let others: Vec<String> = operation
        .groups
        .iter()
        .filter(|group| **group != own)
        .map(ToString::to_string)
        .collect();
    let shared: Vec<String> = operation.shared.iter().map(|name| shown(name)).collect();
    format!(
        "{}: with {} by {}; each keeps its own verdict",
        operation.id,
        others.join(", "),
        shared.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::{Decibans, Family};

    #[test]
    fn a_score_that_was_cut_says_so() {
        let scored = |weights: &[f64], score: f64| {
            let item =
                |weight: &f64| Evidence::observed(Family::Tool, String::new(), Decibans(*weight), &[], None);
            super::score(&Finding {
                score: Decibans(score),
                evidence: weights.iter().map(item).collect(),
                ..Finding::default()
            })
        };
        let cut = scored(&[40.0, 35.0], 60.0);
        assert!(
            cut.contains("capped") && cut.contains("+75.0 dB together"),
            "{cut}"
        );
        assert_eq!(scored(&[40.0, 20.0], 60.0), "+60.0 dB");
        assert_eq!(scored(&[12.0], 12.0), "+12.0 dB");
    }

    #[test]
    fn an_operation_names_the_other_places_and_what_they_share_in_one_line() {
        let told = operation(
            &Operation {
                id: ContentId(0xb0),
                groups: vec![ContentId(0xfa), ContentId(0xfb)],
                shared: vec![
                    "server desk\u{1b}.example".to_owned(),
                    "controller 203.0.113.9".to_owned(),
                ],
            },
            ContentId(0xfa),
        );
        assert_eq!(
            told,
            "00000000000000b0: with 00000000000000fb by server desk\\u{1b}.example, controller 203.0.113.9; each keeps its own verdict"
        );
    }

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(probability(0.9412), ".941");
        assert_eq!(probability(1.0), ">.999");
        assert_eq!(probability(0.999), ".999");
        assert_eq!(probability(0.0001), "<.001");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500_000), "1.5 MB");
        assert_eq!(hours(&[20, 13, 14, 15, 15]), "13-15, 20");
        assert_eq!(time(Timestamp(0)), "1970-01-01 00:00:00");
        assert_eq!(
            range(Timestamp(0), Timestamp(60 * crate::model::time::SECOND)),
            "1970-01-01 00:00:00 to 00:01:00"
        );
        assert_eq!(clock(Timestamp(3_660 * crate::model::time::SECOND)), "01:01");
    }

    #[test]
    fn a_city_that_is_an_escape_sequence_stays_on_its_line() {
        let hostile = PlaceRecord {
            city: Some("\u{1b}[2J\n".to_owned()),
            ..PlaceRecord::default()
        };
        assert_eq!(place(&hostile), "\\u{1b}[2J\\u{a}");
    }
}
