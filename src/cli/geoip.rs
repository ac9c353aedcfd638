//! `farmhawk geoip`: the databases of places.

use std::io::{self, Write as _};
use std::path::PathBuf;

use super::arguments::{Geoip, PlaceFormat};
use super::{Outcome, Usage, analysis, load};
use crate::geo::build::{self, Inputs};
use crate::geo::{Geo, status};
use crate::report::escape::escape;

/// Runs the command.
pub fn run(action: &Geoip) -> anyhow::Result<Outcome> {
    match action {
        Geoip::Status { geoip, format } => {
            let (geo, now) = (open(geoip)?, analysis::wall_clock());
            match format {
                PlaceFormat::Text => print(&status::status_text(&geo, now)),
                PlaceFormat::Json => print_record(&status::status_record(&geo, now)),
            }
        }
        Geoip::Lookup { ip, geoip, format } => {
            let geo = open(geoip)?;
            match format {
                PlaceFormat::Text => print(&status::lookup_text(&geo, *ip)),
                PlaceFormat::Json => print_record(&status::lookup_record(&geo, *ip)),
            }
        }
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
                "{}: {} ranges from {} country rows and {} network rows ({} overlaps), {} bytes, {} as written\n",
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

fn open(paths: &[PathBuf]) -> anyhow::Result<Geo> {
    let (geo, refused) = load::places(paths)?;
    for error in refused {
        tracing::warn!("{}", escape(&error.to_string()));
    }
    Ok(geo)
}

fn print(text: &str) -> anyhow::Result<Outcome> {
    io::stdout().lock().write_all(escape(text).as_bytes())?;
    Ok(Outcome::Done)
}

fn print_record(record: &impl serde::Serialize) -> anyhow::Result<Outcome> {
    print(&format!("{}\n", serde_json::to_string(record)?))
}
