//! What cannot be told of a farm's machines: whether they are controlled, and whose they are.

use super::capture::{explained, farm};
use super::*;
use crate::model::observable::Observable;
use crate::model::tenancy::Tenant;

#[test]
fn who_is_below_suspicion_either_way_gets_no_what_if() {
    let mut quiet = farm();
    for profile in &mut quiet {
        profile.sessions = Observable::Absent;
    }
    let record = &explained(&quiet).farms[0];
    assert_eq!(record.verdict, Verdict::None);
    assert_eq!(record.counterfactuals, []);
}

#[test]
fn where_control_may_be_there_nothing_that_is_asked_of_several_machines_denies_it() {
    let mut blind = farm();
    for profile in &mut blind {
        profile.sessions = Observable::NotObservable("its traffic was cut".to_owned());
    }
    let record = &explained(&blind).farms[0];
    for cue in ["focus", "ctrl_conc"] {
        let told = record
            .not_observable
            .iter()
            .find(|one| one.starts_with(cue))
            .unwrap();
        assert!(told.contains("cannot be told: its traffic was cut"), "{told}");
    }
}

#[test]
fn machines_that_have_an_employer_in_common_count_as_no_sure_number_of_organisations() {
    let mut clerks = farm();
    for (number, profile) in clerks.iter_mut().enumerate() {
        let name = |label: &str, service: &str, is_shared: bool| Tenant {
            signs_in: service == "okta.com",
            is_shared,
            ..Tenant::on(&format!("{label}@{service}"), &[1, 2])
        };
        let client = format!("{}client", ["aero", "bolt", "cove", "dune", "elm"][number]);
        profile.tenants = Observable::Observed(vec![
            name(&client, "okta.com", false),
            name("ledgerfirm", "okta.com", true),
            name("ledgerfirm", "sharepoint.com", true),
        ]);
    }
    let of = |profiles: &[HostProfile]| explained(profiles).farms.remove(0);
    let record = of(&clerks);
    let told = record
        .not_observable
        .iter()
        .find(|one| one.starts_with("tenants"))
        .unwrap();
    assert!(
        told.contains("between 1 and 5 organisations: day by day all 5 machines also use ledgerfirm@okta.com/ledgerfirm@sharepoint.com"),
        "{told}"
    );
    // One that does not leaves them what they were, and says why the name counts for nothing.
    if let Observable::Observed(tenants) = &mut clerks[0].tenants {
        tenants.truncate(1);
    }
    let record = of(&clerks);
    let reason = record.reasons.iter().find(|one| one.reason == "tenants").unwrap();
    assert!(
        reason.what.starts_with("5 organisations on 5 machines"),
        "{}",
        reason.what
    );
    assert!(
        reason
            .what
            .contains("not counted, as used beside several of these: ledgerfirm@okta.com"),
        "{}",
        reason.what
    );
}
