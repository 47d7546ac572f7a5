//! What is started first: the node with the longest path still before it, because the run cannot end before that path.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::plan::{Index, Kind, Plan};

/// How urgent a node is; the most urgent one sorts first. The time is in whole microseconds, so that it has an order.
pub(super) type Urgency = Reverse<u64>;

/// How long each node probably takes, in seconds: as long as the last time, else like the others of its kind.
pub fn expected(plan: &Plan, known: &dyn Fn(Index) -> Option<f64>) -> Vec<f64> {
    let known: Vec<Option<f64>> = plan.iter().map(|(index, _)| known(index).filter(|it| it.is_finite())).collect();
    let mut of_kind: BTreeMap<Kind, Vec<f64>> = BTreeMap::new();
    for (node, seconds) in plan.nodes().iter().zip(&known) {
        of_kind.entry(node.kind).or_default().extend(seconds);
    }
    let typical: BTreeMap<Kind, f64> = of_kind.into_iter().map(|(kind, all)| (kind, typical(kind, all))).collect();
    plan.nodes().iter().zip(known).map(|(node, known)| known.unwrap_or_else(|| typical[&node.kind])).collect()
}

/// The median of what is known of a kind; without any, a guess that has the kinds in the right order.
fn typical(kind: Kind, mut known: Vec<f64>) -> f64 {
    known.sort_by(f64::total_cmp);
    match (known.get(known.len() / 2), kind) {
        (Some(median), _) => *median,
        (None, Kind::Build) => 60.0,
        (None, Kind::Resolve | Kind::Lock) => 3.0,
        (None, Kind::Install) => 10.0,
        (None, Kind::Test) => 5.0,
        (None, Kind::Pack) => 20.0,
    }
}

/// The longest path from each node's start to the end of the run, in seconds: its own time, and the longest of the paths
/// of those that need it.
pub fn remaining(plan: &Plan, own: &[f64]) -> Vec<f64> {
    let dependents = plan.dependents();
    let mut paths = vec![0.0_f64; own.len()];
    for number in (0..own.len()).rev() {
        let behind = dependents[number].iter().map(|it| paths[it.number()]).fold(0.0, f64::max);
        paths[number] = own[number].max(0.0) + behind;
    }
    paths
}

/// The order in which nodes are started.
pub(super) fn urgencies(plan: &Plan, own: &[f64]) -> Vec<Urgency> {
    // The longest time that fits is 500,000 years.
    remaining(plan, own).into_iter().map(|it| Reverse((it * 1e6) as u64)).collect()
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use proptest::{collection::vec, prelude::any, prop_assert, proptest};

    use super::{expected, remaining, urgencies};
    use crate::plan::Plan;

    #[test]
    fn a_path_is_as_long_as_its_longest_branch() {
        // 0 leads to 1 and 2, both lead to 3; 4 stands alone.
        let plan = Plan::of_needs(&[vec![], vec![0], vec![0], vec![1, 2], vec![]]);
        assert_eq!(remaining(&plan, &[1.0, 5.0, 2.0, 3.0, 4.0]), [9.0, 8.0, 5.0, 3.0, 4.0]);
    }

    #[test]
    fn what_was_never_done_takes_as_long_as_the_median_of_its_kind() {
        let plan = Plan::of_needs(&[vec![], vec![], vec![], vec![]]);
        let known = [Some(2.0), None, Some(100.0), Some(7.0)];
        assert_eq!(expected(&plan, &|it| known[it.number()]), [2.0, 7.0, 100.0, 7.0]);
        let guess = expected(&plan, &|_| None);
        assert!(guess.iter().all(|it| *it > 0.0 && *it == guess[0]));
        assert_eq!(expected(&plan, &|_| Some(f64::NAN)), guess);
    }

    #[test]
    fn equal_paths_are_equally_urgent() {
        let plan = Plan::of_needs(&[vec![], vec![], vec![]]);
        assert_eq!(urgencies(&plan, &[1.0, 1.0, 0.5]), [Reverse(1_000_000), Reverse(1_000_000), Reverse(500_000)]);
    }

    proptest! {
        #[test]
        fn what_is_needed_is_at_least_as_urgent((picks, own) in (vec(vec(any::<usize>(), 0..4), 0..40), vec(0.0..100.0_f64, 40))) {
            let needs: Vec<Vec<usize>> = picks.iter().enumerate().map(|(number, picks)| {
                let mut needs: Vec<usize> = picks.iter().filter_map(|it| it.checked_rem(number)).collect();
                needs.sort_unstable();
                needs.dedup();
                needs
            }).collect();
            let plan = Plan::of_needs(&needs);
            let own = &own[..needs.len()];
            let paths = remaining(&plan, own);
            for (number, needs) in needs.iter().enumerate() {
                prop_assert!(paths[number] >= own[number]);
                for need in needs {
                    prop_assert!(paths[*need] >= paths[number] + own[*need]);
                    prop_assert!(urgencies(&plan, own)[*need] <= urgencies(&plan, own)[number]);
                }
            }
        }
    }
}
