//! `--exclude` and `--include`, whose order among each other counts.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::values;
use crate::adopt::Filter;

/// The patterns of both options, as they stand on the command line.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns(pub(super) Vec<Filter>);

/// An option's name, its help and what it makes of a pattern.
type Described = (&'static str, &'static str, fn(String) -> Filter);

const OPTIONS: [Described; 2] = [
    (
        "exclude",
        "Leave out the files whose names in the prefix match GLOB, and folders with all that is in them",
        Filter::Exclude,
    ),
    ("include", "Put back what matches GLOB and was left out by an --exclude before this", Filter::Include),
];

impl Args for Patterns {
    fn augment_args(command: Command) -> Command {
        let option = |(name, help, _): Described| {
            let option = Arg::new(name).long(name).value_name("GLOB").help(help).value_parser(values::pattern);
            option.action(ArgAction::Append)
        };
        command.args(OPTIONS.map(option))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Patterns {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found: Vec<(usize, Filter)> = Vec::new();
        for (name, _, make) in OPTIONS {
            let places = matches.indices_of(name).into_iter().flatten();
            let values = matches.get_many::<String>(name).into_iter().flatten();
            found.extend(places.zip(values.map(|it| make(it.clone()))));
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(Self(found.into_iter().map(|(_, filter)| filter).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Args as _, Command, FromArgMatches as _};

    use super::Patterns;
    use crate::adopt::Filter;

    #[test]
    fn the_order_of_both_options_is_kept() {
        let command = Patterns::augment_args(Command::new("x")).arg(Arg::new("prefix").short('p'));
        let words = ["x", "-p", "e", "--exclude", "a", "--include=b", "--exclude", "c"];
        let patterns = Patterns::from_arg_matches(&command.get_matches_from(words)).unwrap();
        let (exclude, include) = (|it: &str| Filter::Exclude(it.into()), |it: &str| Filter::Include(it.into()));
        assert_eq!(patterns.0, [exclude("a"), include("b"), exclude("c")]);
    }
}
