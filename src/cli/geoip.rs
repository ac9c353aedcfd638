//! `farmhawk geoip`: the databases of places.

use std::io::{self, Write as _};
use std::path::PathBuf;

use super::arguments::Geoip;
use super::{Outcome, Usage, analysis};
use crate::geo::build::{self, Inputs};
use crate::geo::{Geo, status};
use crate::report::escape::escape;

/// Runs the command.
pub fn run(action: &Geoip) -> anyhow::Result<Outcome> {
    match action {
        Geoip::Status { geoip } => print(&status::status_text(&open(geoip), analysis::wall_clock())),
        Geoip::Lookup { ip, geoip } => print(&status::lookup_text(&open(geoip), *ip)),
        Geoip::Build {
            country,
            asn,
            date,
            description,
            out,
        } => {
            let inputs = Inputs {
                countries: country.clone(),
                networks: asn.clone(),
                date: date.clone(),
                description: description.clone(),
            };
            if build::epoch_of(date).is_none() {
                return Err(Usage(format!("--date {date}: not a date like 2026-06-17")).into());
            }
            let built = build::build(&inputs, out)?;
            print(&format!(
                "{}: {} ranges from {} country rows and {} network rows ({} overlaps), {} bytes, {} compressed\n",
                out.display(),
                built.ranges,
                built.country_rows,
                built.network_rows,
                built.overlaps,
                built.mmdb_bytes,
                built.written_bytes
            ))
        }
    }
}

fn open(paths: &[PathBuf]) -> Geo {
    let (geo, refused) = Geo::open(paths);
    for error in refused {
        tracing::warn!("{}", escape(&error.to_string()));
    }
    geo
}

fn print(text: &str) -> anyhow::Result<Outcome> {
    io::stdout().lock().write_all(escape(text).as_bytes())?;
    Ok(Outcome::Done)
}
