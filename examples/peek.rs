//! Prints derived exponents of spec files.
use mupc::parameterization::*;
use mupc::size::analysis::*;
fn main() {
    let named: Named = std::env::args().nth(1).unwrap().parse().unwrap();
    let opt = std::env::args().nth(2).unwrap().parse().unwrap();
    for path in std::env::args().skip(3) {
        let text = std::fs::read_to_string(&path).unwrap();
        let t0 = std::time::Instant::now();
        let net = match mupc::compile(&text) {
            Ok(net) => net,
            Err(e) => {
                println!("{path}\n{e}");
                continue;
            }
        };
        let t1 = std::time::Instant::now();
        let names = net.graph.symbol_names();
        let calc = Calculus::new(&net.graph);
        let found = match parameterize(&calc, named, opt) {
            Ok(f) => f,
            Err(e) => {
                println!("{path} {e:?}");
                continue;
            }
        };
        let t2 = std::time::Instant::now();
        println!("== {path} ops {} compile {:?} derive {:?}", net.graph.len(), t1 - t0, t2 - t1);
        let table = ScalingTable::new(&calc, &found);
        for r in &table.parameters {
            let s = |m: &Option<mupc::dim::Monomial>| {
                m.as_ref().map_or("-".into(), |m| m.display(&names).to_string())
            };
            println!(
                "{:40} {:26} m {:8} init {:8} lr {:8} eps {:8} wd {:8}",
                r.name,
                r.role,
                r.multiplier.display(&names),
                r.init_std.display(&names),
                s(&r.learning_rate),
                s(&r.epsilon),
                s(&r.weight_decay)
            );
        }
        for m in &table.multipliers {
            println!("   mult {} {:?} {}", m.tensor, m.parameter, m.factor.display(&names));
        }
        let c = verdict::classify(&calc, &analyze(&calc, found.abc.clone(), opt));
        println!(
            "   {} maximal {} D(out) {} D(feat) {}",
            c.verdict,
            c.is_maximal(),
            c.output_change.display(&names),
            c.feature_change.display(&names)
        );
        for p in &c.problems {
            println!("   ! {}", verdict::describe(&net.graph, p));
        }
        for p in c.params.iter().filter(|p| p.movement != verdict::Movement::Maximal) {
            println!(
                "   ~ {} {} {}",
                net.graph.param(p.param).path,
                p.movement.name(),
                p.update.display(&names)
            );
        }
    }
}
