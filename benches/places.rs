//! What it costs to say where an address is: one that keeps coming back, one that is new, and everything that databases say.
//!
//! `cargo bench --bench places`. The bar is ten million look-ups a second on one core with a warm cache. The first path is that of every
//! flow's row; a look-up in it allocates nothing, since it lends what was written once. Addresses are drawn from all of IPv4.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};

use farmhawk::geo::Geo;
use farmhawk::model::address::Address;
use farmhawk::pipeline::places::Places;

/// So many public addresses that the embedded database knows, by a linear congruential generator (Knuth's MMIX constants).
fn addresses(geo: &Geo, count: usize) -> Vec<Address> {
    let mut state: u64 = 1;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let [high, second, third, low, ..] = state.to_be_bytes();
        Ipv4Addr::new(high, second, third, low)
    };
    std::iter::repeat_with(next)
        .filter(|ip| geo.place((*ip).into()).is_some())
        .map(|ip| Address::from_v4(ip.octets()))
        .take(count)
        .collect()
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let geo = Geo::embedded();
    geo.warm();
    let mut group = criterion.benchmark_group("places");
    for count in [100_usize, 1_000, 10_000] {
        let addresses = addresses(&geo, count);
        group.throughput(Throughput::Elements(addresses.len() as u64));
        let mut places = Places::default();
        group.bench_function(BenchmarkId::new("come back", count), |bencher| {
            bencher.iter(|| {
                for address in &addresses {
                    let kept = places.place(&geo, black_box(*address), None);
                    black_box(places.get(kept));
                }
            });
        });
        group.bench_function(BenchmarkId::new("position in the databases", count), |bencher| {
            bencher.iter(|| {
                for address in &addresses {
                    black_box(geo.position(black_box(*address).to_ip()));
                }
            });
        });
    }
    let some = addresses(&geo, 1_000);
    group.throughput(Throughput::Elements(some.len() as u64));
    group.bench_function("everything of 1000", |bencher| {
        bencher.iter(|| {
            for address in &some {
                black_box(geo.place(black_box(*address).to_ip()));
            }
        });
    });
    group.finish();
    criterion.final_summary();
}
