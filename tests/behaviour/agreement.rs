//! Captures where tshark and we count otherwise, and why: `agreement.tsv`, one list for every comparison with it.
//!
//! A row names what is compared: `decoder` (five-tuples of what decoding gives, `src/decode/captures.rs`), `flows` (records against
//! conversations) and `identifiers` (Community IDs), both in `oracle.rs`. Copies that a mirror port made are no exception:
//! the decoder is compared with its recognition of them switched off, records with the copies added.

/// Captures in which `compared` differs, with the reason, in the order of their names.
pub(crate) fn exceptions(compared: &str) -> Vec<(&'static str, &'static str)> {
    include_str!("agreement.tsv")
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let (name, scopes, reason) = (columns.next()?, columns.next()?, columns.next()?);
            scopes
                .split(',')
                .any(|scope| scope == compared)
                .then_some((name, reason))
        })
        .collect()
}

/// What is wrong with the exceptions of a comparison: those of `compared` captures that agree after all.
pub(crate) fn stale(what: &str, agreeing: impl Fn(&str) -> bool) -> Vec<String> {
    exceptions(what)
        .into_iter()
        .filter(|(name, _)| agreeing(name))
        .map(|(name, reason)| format!("{name}: agrees, though \"{reason}\" is its exception"))
        .collect()
}
