//! IP KVMs beside machines: those that drive them, and those that drive nothing.

use super::*;

#[test]
fn kvm_switches_alone_make_a_house_of_four_employers_worth_a_review() {
    let switch = |number: u8| KvmSeen {
        host: ContentId::of(&[b"kvm", &[number]]),
        shows: Shows::Machine(ContentId::of(&[b"host", &[number]])),
        name: format!("pikvm-{number}"),
        finding: ContentId(u64::from(number)),
    };
    let all: Vec<HostProfile> = (1..=4)
        .map(|number| {
            let profile = HostProfile {
                sessions: Observable::Absent,
                kvm: KvmEvidence {
                    is_kvm: None,
                    on_gateway: Observable::Observed((1..=4).map(switch).collect()),
                    drives_this: Observable::Observed(vec![switch(number)]),
                    unknown: None,
                },
                ..machine(number, "", None, None, &format!("firm{number}"))
            };
            on_line(profile, NetworkKind::Residential, false)
        })
        .collect();
    let found = explained(&all);
    let record = &found.farms[0];
    assert!(record.verdict >= Verdict::Review, "{record:#?}");
    assert_eq!(record.shared.kvms.len(), 4);
    let n_rc = record
        .reasons
        .iter()
        .find(|reason| reason.reason == "n_rc")
        .unwrap();
    assert!(n_rc.what.contains("through IP KVMs"), "{}", n_rc.what);
}

#[test]
fn a_laboratory_with_kvm_switches_that_drive_nothing_is_nothing() {
    let all: Vec<HostProfile> = (1..=3)
        .map(|number| {
            let profile = HostProfile {
                sessions: Observable::Absent,
                kvm: KvmEvidence {
                    is_kvm: (number > 1).then_some(ContentId(u64::from(number))),
                    on_gateway: Observable::Absent,
                    drives_this: Observable::Absent,
                    unknown: None,
                },
                ..machine(number, "", None, None, "hobby")
            };
            on_line(profile, NetworkKind::Residential, false)
        })
        .collect();
    assert_eq!(explained(&all).farms[0].verdict, Verdict::None);
}

#[test]
fn a_kvm_weighs_on_whom_it_shows_and_hardly_on_others_of_the_house() {
    let weight = |shows: Shows, drives: bool| {
        let kvm = KvmSeen {
            host: ContentId(70),
            shows,
            name: "pikvm".to_owned(),
            finding: ContentId(71),
        };
        let profile = HostProfile {
            kvm: KvmEvidence {
                is_kvm: None,
                on_gateway: Observable::Observed([kvm.clone()].into()),
                drives_this: if drives {
                    Observable::Observed(vec![kvm])
                } else {
                    Observable::Absent
                },
                unknown: None,
            },
            ..machine(1, "parsec", None, None, "")
        };
        let found = explain(
            &[],
            std::slice::from_ref(&profile),
            0,
            &weights(),
            &Circumstances::default(),
        );
        let reasons = &found.hosts[0].reasons;
        let reason = reasons.iter().find(|one| one.reason == "kvm");
        reason.map(|one| (one.weight.0, one.what.clone()))
    };
    let own = weight(Shows::Machine(ContentId::of(&[b"host", &[1]])), true).unwrap();
    assert!(own.0 > 6.0, "{own:?}");
    let near = weight(Shows::Unknown, false).unwrap();
    assert!(near.0 > 0.0 && near.0 * 2.0 < own.0, "{near:?} beside {own:?}");
    assert!(near.1.contains("cannot be told"), "{near:?}");
    assert_eq!(weight(Shows::Machine(ContentId(5)), false), None);
    assert_eq!(weight(Shows::Nobody, false), None);
}

#[test]
fn a_screen_beside_a_machine_hides_whether_it_is_controlled_and_raises_nobody() {
    let why = "somebody was at the IP KVM pikvm on the network, and whose screen it shows cannot be told";
    let all: Vec<HostProfile> = (1..=2)
        .map(|number| {
            let profile = HostProfile {
                sessions: Observable::Absent,
                role: Role::Unknown,
                kvm: KvmEvidence {
                    is_kvm: None,
                    on_gateway: Observable::Absent,
                    drives_this: Observable::Absent,
                    unknown: Some(why.to_owned()),
                },
                ..machine(number, "", None, None, &format!("firm{number}"))
            };
            on_line(profile, NetworkKind::Residential, false)
        })
        .collect();
    let found = explained(&all);
    let record = &found.farms[0];
    for cue in ["n_rc", "auth", "kvm"] {
        let told = record
            .not_observable
            .iter()
            .find(|one| one.starts_with(&format!("{cue}: ")));
        assert!(
            told.is_some_and(|one| one.contains(why)),
            "{cue}: {:?}",
            record.not_observable
        );
    }
    assert!(found.hosts.iter().all(|host| host.verdict == Verdict::None));
}
