//! Real shells with functions called `module`; the real module systems are in the integration tests.

use std::collections::BTreeMap;

use super::variables::{new_folders, of_host};

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_belongs_to_the_shell_says_nothing_of_the_host() {
    let captured = environment(&[
        ("BASH_FUNC_module%%", "() { :; }"),
        ("HOME", "/homeless-shelter"),
        ("LMOD_DIR", "/usr/share/lmod"),
        ("LOADEDMODULES", "mpich/4.0"),
        ("MPICH_DIR", "/opt/mpich"),
        ("PATH", "/opt/mpich/bin:/usr/bin"),
        ("_ModuleTable001_", "X01vZHVsZQ=="),
        ("__LMOD_REF_COUNT_PATH", "/opt/mpich/bin:1"),
        ("__MODULES_LMALTNAME", "a"),
    ]);
    let names: Vec<String> = of_host(&captured).into_keys().collect();
    assert_eq!(names, ["MPICH_DIR", "PATH"]);
}

#[test]
fn the_folders_of_a_module_are_those_that_it_added() {
    let before = environment(&[("PATH", "/usr/bin"), ("LD_LIBRARY_PATH", "/opt/gcc/lib64")]);
    let after = environment(&[
        ("PATH", "/opt/mpich/bin:/usr/bin"),
        ("LD_LIBRARY_PATH", "/opt/mpich/lib/:/opt/gcc/lib64"),
        ("MPICH_DIR", "/opt/mpich"),
        ("MPICH_VERSION", "4.0"),
        ("MODULEPATH", "/opt/modules"),
        ("ROOT", "/opt"),
    ]);
    let folders: Vec<String> = new_folders(&before, &after).iter().map(|it| it.display().to_string()).collect();
    assert_eq!(folders, ["/opt/mpich", "/opt/mpich/bin", "/opt/mpich/lib"]);
}
