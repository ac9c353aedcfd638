//! Text for people: what a tired analyst understands in ten seconds stands first, what a careful one checks stands below.
//!
//! Every text that came from outside passes the escape functions of `words` before it reaches a line.

mod captures;
mod findings;
mod ledger;
mod page;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

use crate::model::case::Case;
use crate::model::evidence::{Decibans, State};
use crate::model::farm::{FROM_BESIDE, Farm, Reason, size};
use crate::model::finding::{Confidence, Finding};
use crate::model::host::{Cell, Explanations, Verdict};
use crate::model::identity::ContentId;

use super::output::Output;
use super::shown::Shown;
use super::words;

pub use page::Styles;
use page::{Depth, Page};

/// An explanation below this is not worth a line beside the winner and the runner-up.
const WORTH_A_LINE: f64 = 0.01;

/// `--format text`.
pub struct Text<W> {
    to: W,
    shown: Shown,
    styles: Styles,
}

impl<W: Write + Send> Text<W> {
    /// Text of what is shown, in these styles.
    pub fn new(to: W, shown: Shown, styles: Styles) -> Self {
        Self { to, shown, styles }
    }
}

impl<W: Write + Send> Output<W> for Text<W> {
    fn finish(mut self: Box<Self>, case: &Case) -> io::Result<W> {
        write(case, self.shown, &self.styles, &mut self.to)?;
        Ok(self.to)
    }
}

/// Writes the whole report.
pub fn write(case: &Case, shown: Shown, styles: &Styles, to: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(to, styles, Depth::REPORT);
    first_line(&mut page, case, shown)?;
    for farm in shown.farms(case) {
        page.blank()?;
        group(&mut page, case, farm)?;
    }
    findings::write(&mut page, case, shown)?;
    captures::write(&mut page, case)
}

/// `--explain`: everything that is known of the groups, hosts and findings of a case that holds one of them and what belongs
/// to it ([`super::subject`]).
pub struct Ledger<W> {
    to: W,
    styles: Styles,
}

impl<W: Write + Send> Ledger<W> {
    /// A ledger in these styles.
    pub fn new(to: W, styles: Styles) -> Self {
        Self { to, styles }
    }
}

impl<W: Write + Send> Output<W> for Ledger<W> {
    fn finish(mut self: Box<Self>, case: &Case) -> io::Result<W> {
        let shown = Shown { all: true };
        let mut page = Page::new(&mut self.to, &self.styles, Depth::LEDGER);
        for farm in shown.farms(case) {
            group(&mut page, case, farm)?;
        }
        findings::write(&mut page, case, shown)?;
        Ok(self.to)
    }
}

/// The verdict, before anything else.
fn first_line(page: &mut Page<'_>, case: &Case, shown: Shown) -> io::Result<()> {
    let worst = (case.farms.iter().map(|farm| farm.verdict))
        .chain(case.hosts.iter().map(|host| host.verdict))
        .max()
        .unwrap_or_default();
    let groups = (case.farms.iter())
        .filter(|farm| farm.verdict >= Verdict::Review)
        .count();
    let hosts = (case.hosts.iter())
        .filter(|host| host.verdict >= Verdict::Review)
        .count();
    let mut text = if case.summary.packets.read == 0 {
        "nothing was observed, so nothing can be said: ".to_owned()
    } else {
        format!("{}: ", words::verdict(worst))
    };
    if worst < Verdict::Review
        && let Some(little) = &case.summary.little
    {
        let _ = write!(text, "but little was seen, {little}; ");
    }
    if worst >= Verdict::Review {
        text.push_str(&worst_of(case, worst));
    }
    let _ = write!(
        text,
        "{} and {} of {} at review or above",
        words::counted(count(groups), "group"),
        hosts,
        words::counted(case.host_count(), "host"),
    );
    let findings: Vec<&Finding> = shown.findings(case).collect();
    let _ = write!(text, "; {}", words::counted(count(findings.len()), "finding"));
    let by_confidence: Vec<String> = [Confidence::High, Confidence::Medium, Confidence::Low]
        .into_iter()
        .filter_map(|confidence| {
            let number = findings.iter().filter(|one| one.confidence == confidence).count();
            (number > 0).then(|| format!("{number} {}", confidence.name()))
        })
        .collect();
    if !by_confidence.is_empty() {
        let _ = write!(text, " ({})", by_confidence.join(", "));
    }
    let style = page.styles.verdict(worst);
    page.heading(0, style, &worst.name().to_uppercase(), &text)
}

/// What the worst group, or host, is consistent with.
fn worst_of(case: &Case, worst: Verdict) -> String {
    let group = case.farms.iter().find(|farm| farm.verdict == worst);
    let host = case.hosts.iter().find(|host| host.verdict == worst);
    let (who, explanations) = match (group, host) {
        (Some(farm), _) => (size(&farm.hosts), &farm.explanations),
        (None, Some(host)) => (words::host(host), &host.explanations),
        (None, None) => return String::new(),
    };
    let against = group.map_or_else(
        || host.and_then(|host| most_against(host.reasons.iter().map(|one| (one.weight, one.what.as_str())))),
        |farm| most_against(farm.reasons.iter().map(|one| (one.weight, one.what.as_str()))),
    );
    let [best, ..] = words::ranked(explanations);
    let from_beside = best.key == "farm" && group.is_some_and(Farm::is_driven_from_beside);
    format!(
        "{who} consistent with {} ({}){}; ",
        if from_beside { FROM_BESIDE } else { best.words },
        words::probability(best.probability),
        against.map_or_else(String::new, |what| format!(", against which speaks that {what}"))
    )
}

/// Decibans from which on a reason against stands in the first line already: it makes the rest ten times less probable, and who reads no
/// further must not miss it.
const TELLING: f64 = -10.0;

/// What speaks most against, if it is that much.
fn most_against<'a>(reasons: impl Iterator<Item = (Decibans, &'a str)>) -> Option<&'a str> {
    reasons
        .filter(|(weight, _)| weight.0 <= TELLING)
        .min_by(|one, other| one.0.0.total_cmp(&other.0.0))
        .map(|(_, what)| what)
}

fn count(number: usize) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

fn group(page: &mut Page<'_>, case: &Case, farm: &Farm) -> io::Result<()> {
    let head = format!("GROUP {} {}", farm.id, farm.verdict.name().to_uppercase());
    let style = page.styles.verdict(farm.verdict);
    page.heading(0, style, &head, &words::sentence(&farm.summary))?;
    page.indent(2);
    let depth = page.depth;
    page.items(
        "explained by",
        explained(&farm.explanations, &farm.runner_up, depth),
    )?;
    let mut sorted: Vec<_> = farm.hosts.iter().collect();
    sorted.sort_by_key(|member| (member.is_kvm, &member.label));
    let members = sorted.into_iter().map(|member| {
        let figures = format!("{:>4.2} ", member.membership);
        let kind = if member.is_kvm { " (IP KVM)" } else { "" };
        (figures, format!("{}{kind}", words::shown(&member.label)))
    });
    page.items("machines", bounded(members, "machine", depth))?;
    page.items("speaks for it", reasons(farm, depth, |one| one.weight.0 > 0.0))?;
    page.items("speaks against", reasons(farm, depth, |one| one.weight.0 <= 0.0))?;
    let cells = farm.reasons.iter().filter_map(|one| {
        let cell = one.cell.as_deref()?;
        Some(cell_row(&one.reason, one.weight, cell))
    });
    table_cells(page, cells.collect(), "farm")?;
    ledger::write(page, farm.tally.as_deref())?;
    page.rows("also possible", benign(case, farm, depth))?;
    page.rows("in common", in_common(farm, depth))?;
    page.rows(
        "second opinion",
        farm.second_opinion.iter().map(|said| words::sentence(said)),
    )?;
    page.rows(
        "operation",
        farm.operation.iter().map(|one| words::operation(one, farm.id)),
    )?;
    not_observable(page, &farm.not_observable)?;
    let otherwise = farm.counterfactuals.iter().map(|one| {
        let change = words::shown(&one.change);
        let (now, then) = (farm.explanations.farm, one.farm);
        let moves = match then.total_cmp(&now) {
            Ordering::Less => "falls",
            Ordering::Equal => "stays",
            Ordering::Greater => "rises",
        };
        format!(
            "{change}, farm {moves} from {} to {}, verdict {}",
            words::probability(now),
            words::probability(then),
            one.verdict.name()
        )
    });
    page.rows("if otherwise", otherwise)?;
    next_question(page, &farm.next_question)
}

/// What could not be seen of a group or a host.
fn not_observable(page: &mut Page<'_>, list: &[impl AsRef<str>]) -> io::Result<()> {
    let hidden = list
        .iter()
        .map(|text| (String::new(), words::shown(text.as_ref())));
    page.items("not observable", bounded(hidden, "item", page.depth))
}

/// What would settle most about a group or a host.
fn next_question(page: &mut Page<'_>, question: &str) -> io::Result<()> {
    if question.is_empty() {
        return Ok(());
    }
    page.rows("look next at", [words::sentence(question)])
}

/// Winner, runner-up, and what else has a noticeable share.
fn explained(explanations: &Explanations, runner_up: &str, depth: Depth) -> Vec<(String, String)> {
    if !words::is_explained(explanations) {
        return Vec::new();
    }
    words::ranked(explanations)
        .iter()
        .enumerate()
        .filter(|(place, one)| depth.is_whole || *place < 2 || one.probability >= WORTH_A_LINE)
        .map(|(_, one)| {
            let mark = if one.key == runner_up { " (runner-up)" } else { "" };
            let figures = format!("{:>5} ", words::probability(one.probability));
            (figures, format!("{}: {}{mark}", one.key, one.words))
        })
        .collect()
}

/// Reasons that pass, as they are ranked; weight and state in front.
fn reasons(farm: &Farm, depth: Depth, passes: impl Fn(&Reason) -> bool) -> Vec<(String, String)> {
    let chosen = farm
        .reasons
        .iter()
        .filter(|one| (depth.is_whole || one.state != State::NotObservable) && passes(one))
        .flat_map(|one| {
            let figures = format!("{:>+6.1} dB  {:<10} ", one.weight.0, words::state(one.state));
            let beside = " ".repeat(figures.len());
            let what = format!("{} [{}]", words::sentence(&one.what), words::shown(&one.reason));
            let cited = [("hosts", &one.hosts), ("findings", &one.findings)]
                .into_iter()
                .filter(|(_, ids)| depth.is_whole && !ids.is_empty())
                .map(move |(name, ids)| (beside.clone(), format!("{name}: {}", joined(ids))));
            std::iter::once((figures, what)).chain(cited)
        });
    bounded(chosen, "reason", depth)
}

/// The cells that reasons were weighed by, and how.
fn table_cells(page: &mut Page<'_>, mut rows: Vec<(String, String)>, claimed: &str) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let how = format!(
        "each explanation with P(level) × what everything else leaves of it; dB = 10 log10 of the mean P of {claimed} over the mean P of \
         msp to normal, both weighed by the second factor"
    );
    rows.push((String::new(), how));
    page.items("table cells", rows)
}

/// One cell with its weight in front.
fn cell_row(cue: &str, weight: Decibans, cell: &Cell) -> (String, String) {
    let factors: Vec<String> = words::in_order(&cell.probability)
        .iter()
        .zip(words::in_order(&cell.others))
        .map(|(level, others)| {
            let figures = [level, &others].map(|one| figure(one.probability));
            format!("{} {}", level.key, figures.join(" × "))
        })
        .collect();
    let text = format!(
        "[{}] at {}: {}",
        words::shown(cue),
        words::shown(&cell.level),
        factors.join(", ")
    );
    (format!("{:>+6.1} dB  ", weight.0), text)
}

/// A factor as it can be multiplied with: small ones with their exponent.
fn figure(value: f64) -> String {
    if value < 0.01 {
        format!("{value:.2e}")
    } else {
        format!("{value:.3}").trim_start_matches('0').to_owned()
    }
}

/// Identifiers with spaces between them.
fn joined(ids: &[ContentId]) -> String {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

/// What else could explain the findings behind the reasons, each once.
fn benign(case: &Case, farm: &Farm, depth: Depth) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let cited: BTreeSet<ContentId> = farm.reasons.iter().flat_map(|one| one.findings.clone()).collect();
    for finding in case.findings.iter().filter(|one| cited.contains(&one.id)) {
        for benign in &finding.benign {
            let text = words::sentence(benign);
            if texts.len() < depth.most && !texts.contains(&text) {
                texts.push(text);
            }
        }
    }
    texts
}

fn in_common(farm: &Farm, depth: Depth) -> Vec<String> {
    let shared = &farm.shared;
    let lists = [
        ("controllers", &shared.controllers),
        ("relays", &shared.relays),
        ("tools", &shared.tools),
        ("egress", &shared.egress),
        ("KVMs", &shared.kvms),
    ];
    let mut texts: Vec<String> = lists
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| {
            let values: Vec<String> = list
                .iter()
                .take(depth.most)
                .map(|one| words::shown(one))
                .collect();
            let more = list.len().saturating_sub(values.len());
            let rest = if more == 0 {
                String::new()
            } else {
                format!(" and {more} more")
            };
            format!("{name}: {}{rest}", values.join(", "))
        })
        .collect();
    if !shared.operator_hours.is_empty() {
        texts.push(format!(
            "hours driven (UTC): {}",
            words::hours(&shared.operator_hours)
        ));
    }
    texts
}

/// The first of them, and how many more there are.
fn bounded(
    items: impl IntoIterator<Item = (String, String)>,
    singular: &str,
    depth: Depth,
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = items.into_iter().collect();
    let more = all.len().saturating_sub(depth.most);
    all.truncate(depth.most);
    if more > 0 {
        all.push((
            String::new(),
            format!("and {} more", words::counted(count(more), singular)),
        ));
    }
    all
}
