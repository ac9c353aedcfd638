//! What a group must show for more than a review: that somebody works at its machines, and where they are few, that something joins them.

use super::*;

fn judged(machines: usize, has_common_instance: bool, cues: &[(&str, &str)]) -> verdict::Judgement {
    let weights = weights();
    let prior = weights.prior(Vantage::Home, false);
    let bench = Bench {
        weights: &weights,
        prior: &prior,
        claim: Claim::Farm,
        machines,
        has_common_instance,
        damage: None,
    };
    judge(&bench, &scenarios::levels(&weights, cues))
}

/// Remote control of machines of several organisations over a long way, through relays.
const FAR: [(&str, &str); 7] = [
    ("auth", "unlisted-1"),
    ("n_rc", "10+"),
    ("tenants", "5+"),
    ("ctrl_geo", "relay-only"),
    ("dev_vpn", "none"),
    ("kvm", "0"),
    ("xrtt", ">100"),
];

#[test]
fn who_sets_machines_up_from_far_away_is_a_review_until_somebody_is_seen_to_work_at_them() {
    let bench = judged(12, true, &FAR);
    assert!(Claim::Farm.probability(&bench.posterior) >= 0.8, "{bench:?}");
    assert_eq!(bench.verdict, Verdict::Review);
    assert!(bench.held_down.unwrap().contains("setting them up"));
    let worked = judged(12, true, &[&FAR[..], &[("cover", ">.8")]].concat());
    assert!(worked.verdict >= Verdict::Likely, "{worked:?}");
}

/// Few machines that are worked at through sessions and by nobody beside them.
const FEW: [(&str, &str); 8] = [
    ("n_rc", "3-4"),
    ("tenants", "3-4"),
    ("ctrl_geo", "relay-only"),
    ("dev_vpn", "none"),
    ("kvm", "0"),
    ("xrtt", ">100"),
    ("cover", ">.8"),
    ("local", "absent"),
];

#[test]
fn flatmates_and_families_far_away_are_a_review_unless_something_joins_their_machines() {
    let apart = judged(4, false, &FEW);
    assert!(Claim::Farm.probability(&apart.posterior) >= 0.8, "{apart:?}");
    assert_eq!(apart.verdict, Verdict::Review);
    assert!(apart.held_down.unwrap().contains("nothing but the place"));
    for joined in [
        judged(4, true, &FEW),
        judged(4, false, &[&FEW[..], &[("focus", "in turn")]].concat()),
        judged(4, false, &[&FEW[..], &[("ctrl_conc", "many:few")]].concat()),
        judged(5, false, &FEW),
    ] {
        assert!(joined.verdict >= Verdict::Likely, "{joined:?}");
    }
}

#[test]
fn what_a_need_names_exists() {
    let weights = weights();
    assert_eq!(weights.two_key.needs.len(), 2);
    let text = include_str!("../weights.toml").replacen("any = { cover", "any = { cover_of_nobody", 1);
    let said = Weights::parse(&text).unwrap_err().to_string();
    assert!(said.contains("two_key.needs"), "{said}");
}
