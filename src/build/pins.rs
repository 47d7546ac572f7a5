//! Exact pins, written out.

use rattler_build_recipe::{Stage1Recipe, stage1::requirements::Dependency};
use rattler_conda_types::{MatchSpec, ParseStrictness};

use super::{BuildError, output::Subpackages, output::invalid};

/// Replaces each exact `pin_subpackage` by the MatchSpec that it stands for. The library would do so itself, but its
/// parser refuses the dots that a site's label may bring into a build string, which conda allows (CEP 26).
pub(super) fn write_out(recipe: &mut Stage1Recipe, packages: &Subpackages) -> Result<(), BuildError> {
    let requirements = &mut recipe.requirements;
    let exports = &mut requirements.run_exports;
    let lists = [
        &mut requirements.build,
        &mut requirements.host,
        &mut requirements.run,
        &mut requirements.run_constraints,
        &mut exports.noarch,
        &mut exports.strong,
        &mut exports.weak,
        &mut exports.strong_constraints,
        &mut exports.weak_constraints,
    ];
    for dependency in lists.into_iter().flatten() {
        let Dependency::PinSubpackage(pin) = &*dependency else { continue };
        let pin = &pin.pin_subpackage;
        if let (true, Some(package)) = (pin.args.exact, packages.get(&pin.name)) {
            let text = format!("{} =={} {}", pin.name.as_normalized(), package.version, package.build_string);
            let spec = MatchSpec::from_str(&text, ParseStrictness::Lenient).map_err(invalid("exact pin", &text))?;
            *dependency = Dependency::Spec(Box::new(spec));
        }
    }
    Ok(())
}
