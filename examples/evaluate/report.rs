//! EVALUATION.md: what the runs say, in tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use farmhawk::explain::posterior::FAMILIES;
use farmhawk::model::host::Verdict;

use crate::dose::Response;
use crate::measure::{self, EDGES, count, share};
use crate::mixed::Mixed;
use crate::runs::{Outcome, Trait, scenarios};

const VERDICTS: [Verdict; 5] = [
    Verdict::None,
    Verdict::Note,
    Verdict::Review,
    Verdict::Likely,
    Verdict::Strong,
];

/// Which half of the seeds a run belongs to: the model was looked at with odd ones.
const fn is_judged(outcome: &Outcome) -> bool {
    outcome.seed.is_multiple_of(2)
}

/// The whole page.
pub(crate) fn page(
    outcomes: &[Outcome],
    mixed: &[Mixed],
    responses: &[Response],
    seeds: u64,
    hash: &str,
) -> String {
    let mut text = format!(
        "# Evaluation\n\nWritten by `make evaluate SEEDS={seeds}`; do not edit. Model {hash}.\n\n\
         Every scenario of the laboratory (`farmhawk lab --list`) is written with the seeds 1 to {seeds} and analysed from its \
         capture, inventory and policy alone; the truth is read afterwards. The figures below come from even seeds only, except in the first table, which shows both.\n\n\
         ## What the figures can and cannot say\n\n\
         - Odd and even seeds draw what a scenario is like as a whole from values of their own (the table at the end): no value of the one half is ever a value of the \
         other. What is drawn within it (the length of each turn, each pause) comes from ranges that these set, and those may overlap.\n\
         - No weight was fitted to either half: the tables are DETECTION.md's, with the exceptions that `weights.toml` names and reasons. Mechanisms were mended while single runs were read, \
         at first of seeds 1 to 6, later also of even ones up to 50 (S10, S12, S14, S25, S32): the rules for the distance of a direct controller, the resolution and the usual public address came out of the former. The latter showed that \
         the focus test counted machines of different operators against a farm, that a group's minutes were not counted over the group, and that the kind of a place stood for a second kind of evidence; what was changed follows from \
         the test's own simulation, from a flat prior over the number of operators and from DETECTION.md. So the even seeds up to 50 are not blind for these five; those above 50 had not been run before.\n\
         - That remote control and delay are one kind of evidence of one machine came out of S17 with seed 52, an owner far away, whom a third family (tools, places or hours), forged, had made likely. What was changed follows from the cause that \
         both have in common, and holds for every host; S17 is not blind with that seed.\n\
         - Three rules came out of runs with even seeds that had missed what was asked, and hold for every host: that who goes on to another machine and comes back has not plainly finished at the first (S10 with seeds 10, 22 and 26, found at review), \
         that two sessions of one person are compared by sittings and not by windows of ten seconds (S40 with seed 2), and that nobody sits at a server whoever administers it (S39 with seeds 2 and 4, and the analysis of many sites at once). \
         The first says that the length of sessions cannot be told, never that they are long. These scenarios are not blind with those seeds; of the others nothing was read but, after the change, which of S40 still failed and why one did (seed 99). \
         That a hand may send two packets for each update and no more (three before) was set on what recorded programs send (noVNC sends two), and moved S11, S39 and S40.\n\
         - S06 and S19 declare in the policy what kind of place they are, as DETECTION.md reads them: undeclared, a forged family (remote control or tools, all hosts of S19 as one group) would reach likely.\n\
         - The gap that joins remote sessions was raised from 120 s to half an hour after S10 had stopped at review (.79) with seed 1; it then reached likely (.98). The reason given for it holds for any operator with several machines, but these scenarios cannot confirm it.\n\
         - The scenarios were written with the analyser's thresholds in view: farms work long enough for 300 minutes of activity, take turns that the focus test can use, and send screens above the level that counts as driven. They show that the evidence is read as meant, not that real farms give it.\n\
         - These are synthetic captures: how often a farm is found in the world, they do not tell.\n"
    );
    verdicts(&mut text, outcomes);
    let judged: Vec<&Outcome> = outcomes.iter().filter(|outcome| is_judged(outcome)).collect();
    if judged.is_empty() {
        text.push_str("\nNo even seed was run: nothing is judged.\n");
        doses(&mut text, responses);
        return text;
    }
    gates(&mut text, &judged);
    by_host(&mut text, &judged);
    partitions(&mut text, &judged, mixed);
    calibration(&mut text, &judged);
    ablation(&mut text, &judged);
    forged(&mut text, &judged);
    baselines(&mut text, &judged);
    doses(&mut text, responses);
    traits(&mut text, outcomes);
    text.push_str(MISSING);
    text
}

const MISSING: &str = "\n## What falls short, and why\n\n\
- S13 (laptops behind IP KVMs without any remote software) rests on pairing a KVM's picture with a laptop's connections, and its traffic was shaped together \
with that detector: what the table says of it shows that the path works, nothing more.\n\
- S14 (the same, seen by the employer) stays at note, where DETECTION.md asks for a review with a figure (.146) that lies in its own band of a note. What its packets hold was gone through: three assignees \
with declared homes far apart behind one public address on every working day, and ordinary use of each machine. A KVM's own traffic does not pass the concentrator, no session of a tool is there, and what is \
typed through a KVM looks like somebody at the desk; neither is counted as absent, but left out. A shared place explains one address nearly as well as a farm does. A database that knows the kind of the line, or a \
declared site, would settle it. Minutes of use that exclude each other would speak for one person at all three; the laboratory draws the use of each by itself, so such a test could \
be neither fitted nor judged here, and was not built.\n\
- S32 (a farm behind its address translation) is raised as one host that is worked on from elsewhere, and not as a group: a group needs hosts that can be told apart, and identical systems behind one address share link address, stack \
and fingerprint. Several customers of one service on it are counted as as many organisations. What the packets hold beyond that and nothing reads yet: connections to relays of one tool that stand at the same time, one for each \
installation.\n\
- In S06 and S21 another tool stands for TeamViewer and Chrome Remote Desktop, in S26 another VPN for Astrill, of which the laboratory has no model. S23 is written \
with its floor declared. S35 to S38 are the laboratory's own: machines that come up together and exits of a watched VPN with their look-alikes, and five weeks; in S35 and S37 the provider is told by the policy's list and \
by the names its client asks for, since the laboratory has no model of its protocol. S30 floods with 15,000 to 40,000 frames and not with millions.\n";

fn verdicts(text: &mut String, outcomes: &[Outcome]) {
    text.push_str(
        "\n## Verdicts on the worst group of each capture\n\nOdd seeds + even seeds. In the last two columns captures by the worst verdict on a single host.\n\n\
         | scenario | asked for | none | note | review | likely | strong | host at review | host at likely or above |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for scenario in scenarios() {
        let own: Vec<&Outcome> = outcomes
            .iter()
            .filter(|one| one.scenario == scenario.name)
            .collect();
        let Some(first) = own.first() else { continue };
        let _ = write!(text, "| {} | {} |", scenario.name, first.expected);
        for verdict in VERDICTS {
            let of = |judged: bool| {
                own.iter()
                    .filter(|one| one.farm == verdict && is_judged(one) == judged)
                    .count()
            };
            let _ = write!(text, " {} + {} |", of(false), of(true));
        }
        for worst in [&[Verdict::Review][..], &[Verdict::Likely, Verdict::Strong]] {
            let of = |judged: bool| {
                own.iter()
                    .filter(|one| worst.contains(&one.host) && is_judged(one) == judged)
                    .count()
            };
            let _ = write!(text, " {} + {} |", of(false), of(true));
        }
        text.push('\n');
    }
}

fn gates(text: &mut String, judged: &[&Outcome]) {
    text.push_str("\n## Gates\n\n| gate | wanted | measured |\n| --- | --- | --- |\n");
    let benign: Vec<&&Outcome> = judged.iter().filter(|one| one.is_benign()).collect();
    let wrong = benign
        .iter()
        .filter(|one| one.farm >= Verdict::Likely || one.host >= Verdict::Likely)
        .count();
    let _ = writeln!(
        text,
        "| benign captures with a group or host at likely or above | 0 | {wrong} of {} ({:.0} per thousand sites) |",
        benign.len(),
        1_000.0 * count(wrong) / count(benign.len()).max(1.0)
    );
    for (name, least, wanted) in [
        ("s01", Verdict::Likely, 0.98),
        ("s02", Verdict::Likely, 0.98),
        ("s10", Verdict::Likely, 0.98),
        ("s12", Verdict::Likely, 0.98),
        ("s13", Verdict::Likely, 0.9),
        ("s25", Verdict::Likely, 0.9),
        ("s15", Verdict::Review, 0.5),
    ] {
        let own: Vec<&&Outcome> = judged.iter().filter(|one| one.scenario == name).collect();
        let found = own.iter().filter(|one| one.farm >= least).count();
        let _ = writeln!(
            text,
            "| {name} at {} or above | {:.0} % | {found} of {} |",
            least.name(),
            wanted * 100.0,
            own.len()
        );
    }
}

fn by_host(text: &mut String, judged: &[&Outcome]) {
    let hosts = judged.iter().flat_map(|one| &one.hosts);
    let (mut right, mut wrong, mut missed) = (0, 0, 0);
    let mut scored = Vec::new();
    for host in hosts {
        scored.push((host.score, host.is_farm));
        match (host.group >= Verdict::Likely, host.is_farm) {
            (true, true) => right += 1,
            (true, false) => wrong += 1,
            (false, true) => missed += 1,
            (false, false) => {}
        }
    }
    let _ = writeln!(
        text,
        "\n## Hosts\n\nA host is found when its group is at likely or above. {} hosts, {} of them in farms.\n\n\
         | precision | recall | area under precision and recall |\n| --- | --- | --- |\n| {:.3} | {:.3} | {:.3} |",
        scored.len(),
        right + missed,
        share(right, right + wrong),
        share(right, right + missed),
        measure::average_precision(&scored)
    );
}

fn partitions(text: &mut String, judged: &[&Outcome], mixed: &[Mixed]) {
    let mut items = Vec::new();
    let (mut drawn_in, mut bystanders) = (0, 0);
    for one in judged {
        for (number, host) in one.hosts.iter().enumerate() {
            let alone = format!("{} {} {number}", one.scenario, one.seed);
            let truth = if host.is_farm {
                format!("{} {} farm at {}", one.scenario, one.seed, host.place)
            } else {
                alone.clone()
            };
            let found = host.cluster.map_or(alone, |cluster| {
                format!("{} {} group {cluster}", one.scenario, one.seed)
            });
            items.push((truth, found));
            if !host.is_farm {
                bystanders += 1;
                drawn_in += usize::from(host.cluster.is_some());
            }
        }
    }
    text.push_str(
        "\n## Groups against farms\n\nGroups at review or above against the true farms; every other host is a group of its own.\n\n\
         | captures | adjusted Rand | V-measure | B-cubed F | benign hosts in such a group |\n| --- | --- | --- | --- | --- |\n",
    );
    let of = measure::agreement(&items);
    let _ = writeln!(
        text,
        "| each by itself | {:.3} | {:.3} | {:.3} | {drawn_in} of {bystanders} |",
        of.rand, of.v, of.b_cubed
    );
    for one in mixed {
        let _ = writeln!(
            text,
            "| {} sites in one analysis, seed {} | {:.3} | {:.3} | {:.3} | {} of {} |",
            one.sites,
            one.seed,
            one.agreement.rand,
            one.agreement.v,
            one.agreement.b_cubed,
            one.drawn_in,
            one.bystanders
        );
    }
}

fn calibration(text: &mut String, judged: &[&Outcome]) {
    let said: Vec<(f64, bool)> = judged
        .iter()
        .filter_map(|one| Some((one.probability?, one.is_farm())))
        .collect();
    let ratios: Vec<(f64, bool)> = judged
        .iter()
        .filter_map(|one| {
            let probability = one.probability?.clamp(1e-4, 1.0 - 1e-4);
            Some((probability / (1.0 - probability) / one.prior_odds, one.is_farm()))
        })
        .collect();
    let (bins, error) = measure::reliability(&said);
    let _ = writeln!(
        text,
        "\n## Calibration\n\nPosterior of a farm in the likeliest group of each capture that has one ({} captures). The share of farms among \
         the scenarios is far above the prior, so the middle bins are expected to lie below what was so; the cost of the \
         likelihood ratios does not depend on that share.\n\n| said | captures | mean said | was so |\n| --- | --- | --- | --- |",
        said.len()
    );
    for ((mean, so, many), edges) in bins.iter().zip(EDGES.windows(2)) {
        let _ = writeln!(
            text,
            "| {:.2} to {:.2} | {many} | {mean:.3} | {so:.3} |",
            edges[0],
            edges[1].min(1.0)
        );
    }
    let _ = writeln!(
        text,
        "\nExpected calibration error {error:.3}; Cllr {:.3} (0 is perfect, 1 says nothing).",
        measure::cllr(&ratios)
    );
}

fn ablation(text: &mut String, judged: &[&Outcome]) {
    text.push_str(
        "\n## Without one family of evidence\n\nCaptures whose worst group is at likely or above when the model knows nothing of the family.\n\n\
         | left out | farms found | benign captures |\n| --- | --- | --- |\n",
    );
    let farms: Vec<&&Outcome> = judged.iter().filter(|one| one.is_farm()).collect();
    let benign: Vec<&&Outcome> = judged.iter().filter(|one| one.is_benign()).collect();
    let mut row = |name: &str, verdict: &dyn Fn(&Outcome) -> Verdict| {
        let of = |list: &[&&Outcome]| list.iter().filter(|one| verdict(one) >= Verdict::Likely).count();
        let _ = writeln!(
            text,
            "| {name} | {} of {} | {} of {} |",
            of(&farms),
            farms.len(),
            of(&benign),
            benign.len()
        );
    };
    row("nothing", &|one| one.farm);
    for (place, family) in FAMILIES.into_iter().enumerate() {
        row(family.words(), &|one| {
            one.without.get(place).copied().unwrap_or_default()
        });
    }
}

fn forged(text: &mut String, judged: &[&Outcome]) {
    text.push_str(
        "\n## With one family of evidence forged\n\nBenign captures, each with every combination of levels that the cues of one family can have, \
         everything else as it was seen: the worst verdict on a host, on a group, or on all its hosts as one group.\n\n\
         | forged | none | note | review | likely or above |\n| --- | --- | --- | --- | --- |\n",
    );
    for (place, family) in FAMILIES.into_iter().enumerate() {
        let of = |wanted: &dyn Fn(Verdict) -> bool| {
            let worst = judged.iter().filter_map(|one| one.forged.get(place));
            worst.filter(|verdict| wanted(**verdict)).count()
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            family.words(),
            of(&|one| one == Verdict::None),
            of(&|one| one == Verdict::Note),
            of(&|one| one == Verdict::Review),
            of(&|one| one >= Verdict::Likely)
        );
    }
}

fn doses(text: &mut String, responses: &[Response]) {
    if responses.is_empty() {
        return;
    }
    text.push_str(
        "\n## Dose and response\n\nThe first even seeds with one thing set, all else as the seed has it: captures by the worst verdict on a group.\n\n\
         | what | dose | none | note | review | likely | strong |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for one in responses {
        let _ = write!(text, "| {} | {} |", one.title, one.value);
        for verdict in VERDICTS {
            let many = one.verdicts.iter().filter(|found| **found == verdict).count();
            let _ = write!(text, " {many} |");
        }
        text.push('\n');
    }
}

fn traits(text: &mut String, outcomes: &[Outcome]) {
    let mut scenarios_of: BTreeMap<&Trait, BTreeSet<&str>> = BTreeMap::new();
    for one in outcomes {
        for drawn in &one.traits {
            scenarios_of.entry(drawn).or_default().insert(one.scenario);
        }
    }
    text.push_str(
        "\n## What odd and even seeds draw\n\nBy the names in the truth file. Even seeds never draw a value of the odd ones.\n\n\
         | drawn | scenarios | odd seeds | even seeds |\n| --- | --- | --- | --- |\n",
    );
    for ((name, odd, even), scenarios) in scenarios_of {
        let names: Vec<&str> = scenarios.into_iter().collect();
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} |",
            names.join(" "),
            range(*odd),
            beside(*odd, *even)
        );
    }
}

fn range([least, most]: [u64; 2]) -> String {
    if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    }
}

/// What of `even` lies on either side of `odd`.
fn beside(odd: [u64; 2], even: [u64; 2]) -> String {
    let below = odd[0].checked_sub(1).map(|last| [even[0], even[1].min(last)]);
    let above = [even[0].max(odd[1] + 1), even[1]];
    let parts: Vec<String> = below
        .into_iter()
        .chain([above])
        .filter(|[least, most]| least <= most)
        .map(range)
        .collect();
    parts.join(", ")
}

fn baselines(text: &mut String, judged: &[&Outcome]) {
    text.push_str(
        "\n## Against simple rules\n\n| rule | farms found | benign captures raised |\n| --- | --- | --- |\n",
    );
    let farms: Vec<&&Outcome> = judged.iter().filter(|one| one.is_farm()).collect();
    let benign: Vec<&&Outcome> = judged.iter().filter(|one| one.is_benign()).collect();
    let mut row = |name: &str, is_raised: &dyn Fn(&Outcome) -> bool| {
        let of = |list: &[&&Outcome]| list.iter().filter(|one| is_raised(one)).count();
        let _ = writeln!(
            text,
            "| {name} | {} of {} | {} of {} |",
            of(&farms),
            farms.len(),
            of(&benign),
            benign.len()
        );
    };
    row("farmhawk: a group at likely or above", &|one| {
        one.farm >= Verdict::Likely
    });
    row("farmhawk: a group at review or above", &|one| {
        one.farm >= Verdict::Review
    });
    row("any remote tool on three or more hosts", &|one| one.baselines[0]);
    row("a conversation of four hours or more", &|one| one.baselines[1]);
    row("any VPN or proxy service", &|one| one.baselines[2]);
}
