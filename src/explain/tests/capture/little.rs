//! What captures of minutes, or of headers alone, cannot show.

use super::*;

#[test]
fn of_little_no_absence_is_told_and_no_bystander_is_raised() {
    let all: Vec<HostProfile> = (1..=3)
        .map(|number| HostProfile {
            sessions: Observable::Absent,
            role: Role::Unknown,
            kvm: KvmEvidence {
                is_kvm: None,
                on_gateway: Observable::Observed(
                    [1, 2, 3]
                        .map(|kvm| KvmSeen {
                            host: ContentId(kvm),
                            shows: Shows::Unknown,
                            name: format!("pikvm-{kvm}"),
                            finding: ContentId(kvm),
                        })
                        .to_vec()
                        .into(),
                ),
                drives_this: Observable::Absent,
                unknown: None,
            },
            ..machine(number, "", None, None, "firm")
        })
        .collect();
    let with = |little: Option<&str>| {
        let circumstances = Circumstances {
            little: little.map(str::to_owned),
            ..Circumstances::default()
        };
        explain(&group_of(&all), &all, 0, &weights(), &circumstances)
    };
    let absent = |found: &Explained| {
        let reasons = found.farms[0].reasons.iter();
        reasons.filter(|one| one.state == State::Absent).count()
    };
    assert!(absent(&with(None)) > 0);
    let little = with(Some("only 3 min of traffic were captured"));
    assert_eq!(absent(&little), 0);
    let hidden =
        "n_rc: no machine is under remote control, which says little: only 3 min of traffic were captured";
    assert!(little.farms[0].not_observable.iter().any(|one| one == hidden));
    assert!(little.hosts.iter().all(|host| host.verdict <= Verdict::Note));
}
