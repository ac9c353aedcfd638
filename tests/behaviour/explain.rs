//! `--explain`: everything that is known of one group, host or finding; and `-v`: what the stages did.

use serde_json::Value;

use crate::program::{Run, farmhawk, finish, fixture};

fn analyze(more: &[&str]) -> Run {
    let mut command = farmhawk();
    command.arg("analyze").arg(fixture("demo/farm.pcapng"));
    command.arg("--assets").arg(fixture("demo/inventory.csv"));
    finish(command.args(more))
}

/// Prior and families lead to the posterior, and the cells with the factor to each family.
fn assert_adds_up(record: &Value) {
    let tally = &record["tally"];
    let explanations = record["explanations"].as_object().unwrap();
    let families = tally["families"].as_array().unwrap();
    let raised = |name: &str| {
        let added = families
            .iter()
            .map(|family| family["decibans"][name].as_f64().unwrap());
        10_f64.powf((tally["prior"][name].as_f64().unwrap() + added.sum::<f64>()) / 10.0)
    };
    let whole: f64 = explanations.keys().map(|name| raised(name)).sum();
    for (name, posterior) in explanations {
        let difference = raised(name) / whole - posterior.as_f64().unwrap();
        assert!(difference.abs() < 0.003, "{name}: {difference} in {tally}");
    }
    let cells = record["reasons"].as_array().unwrap();
    let level = |cue: &Value| {
        let reason = cells.iter().find(|reason| reason["reason"] == *cue).unwrap();
        reason["cell"]["probability"]["farm"].as_f64().unwrap()
    };
    assert!(!families.is_empty());
    for family in families {
        let cues = family["cues"].as_array().unwrap();
        let sum: f64 = cues.iter().map(|cue| 10.0 * level(cue).log10()).sum();
        let difference =
            family["tempering"].as_f64().unwrap() * sum - family["decibans"]["farm"].as_f64().unwrap();
        assert!(difference.abs() < 0.02, "{difference} in {family}");
    }
}

#[test]
fn the_ledger_of_a_group_holds_every_reason_with_what_it_cites() {
    let records = analyze(&["--format", "jsonl", "--all"]);
    let farm = records.of("farm").remove(0);
    let id = farm["id"].as_str().unwrap();
    let ledger = analyze(&["--explain", id]);
    assert_eq!(ledger.code, 0, "{}", ledger.stderr);
    assert!(
        ledger.stdout.starts_with(&format!("GROUP {id} ")),
        "{}",
        ledger.stdout
    );
    assert!(
        !ledger.stdout.contains("CAPTURES"),
        "the ledger stands for the report"
    );
    let steps = ["adds up", "prior: farm -", "sum: farm ", "do not add up to"];
    let said = ledger.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for step in steps {
        assert!(said.contains(step), "{step} not in {}", ledger.stdout);
    }
    for reason in farm["reasons"].as_array().unwrap() {
        let cue = format!("[{}]", reason["reason"].as_str().unwrap());
        assert!(ledger.stdout.contains(&cue), "{cue}");
        assert!(ledger.stdout.contains(&format!("{cue} at ")), "the cell of {cue}");
        for finding in reason["findings"].as_array().unwrap() {
            assert!(ledger.stdout.contains(finding.as_str().unwrap()), "{finding}");
        }
    }
    for member in farm["hosts"].as_array().unwrap() {
        let host = analyze(&["--explain", member["host"].as_str().unwrap(), "--format", "jsonl"]);
        let [record] = &host.of("host")[..] else {
            panic!("{}", host.stdout);
        };
        assert_eq!(record["host"], member["host"]);
        // What `--explain` adds are the cells that reasons were weighed by, and the steps to the posterior.
        let mut farms = host.of("farm");
        assert_adds_up(record);
        assert_adds_up(&farms[0]);
        farms[0].as_object_mut().unwrap().remove("tally");
        for reason in farms[0]["reasons"].as_array_mut().unwrap() {
            let cell = reason.as_object_mut().unwrap().remove("cell").unwrap();
            assert!(cell["probability"]["farm"].as_f64().unwrap() > 0.0, "{cell}");
        }
        assert_eq!(farms, std::slice::from_ref(&farm));
    }
}

#[test]
fn the_ledger_of_a_finding_names_every_frame() {
    let records = analyze(&["--format", "jsonl", "--all"]);
    let finding = records
        .of("finding")
        .into_iter()
        .max_by_key(|finding| finding["evidence"].as_array().unwrap().len())
        .unwrap();
    let ledger = analyze(&["--explain", finding["id"].as_str().unwrap()]);
    assert_eq!(ledger.code, 0, "{}", ledger.stderr);
    // Lines wrap: words are compared without what stands between them.
    let said: String = ledger.stdout.split_whitespace().collect();
    for item in finding["evidence"].as_array().unwrap() {
        let what: String = item["what"].as_str().unwrap().split_whitespace().collect();
        assert!(said.contains(&what), "{what}");
        let frames = item["frames"].as_array().cloned().unwrap_or_default();
        let frames: Vec<String> = frames.iter().map(ToString::to_string).collect();
        assert!(said.contains(&frames.join(",")), "{frames:?}");
    }
}

#[test]
fn a_host_is_told_by_its_address_and_what_is_unknown_is_refused_with_the_nearest() {
    let host = analyze(&["--explain", "192.168.77.21"]);
    assert_eq!(host.code, 0, "{}", host.stderr);
    assert!(host.stdout.contains("(192.168.77.21)"), "{}", host.stdout);
    let refused = analyze(&["--explain", "192.168.77.231"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("192.168.77.21"), "{}", refused.stderr);
}

#[test]
fn verbosity_says_what_the_stages_did_and_nothing_per_packet() {
    let quiet = analyze(&[]);
    assert_eq!(quiet.stderr, "");
    let [once, twice] = ["-v", "-vv"].map(|level| analyze(&[level]).stderr);
    for said in [
        "farm.pcapng: Pcapng",
        "link types EN10MB",
        "embedded",
        "15 rows",
        "evicted",
        "match a row",
    ] {
        assert!(once.contains(said), "{said} not in {once}");
    }
    assert!(once.lines().count() < twice.lines().count());
    assert!(twice.lines().count() < 100, "{twice}");
}
