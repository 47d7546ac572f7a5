//! Points a recipe's URL sources at the files that were fetched, so that the build needs no network.

use std::path::Path;

use rattler_build_recipe::{
    Stage1Recipe,
    stage1::{Source, source::UrlSource},
};
use url::Url;

use super::{
    BuildError, BuildJob,
    place::{Place, link_to},
};
use crate::base::{FsError, fs};

/// Replaces the URLs of the recipe's sources, those of its staging outputs too. The hashes stay, and are checked again
/// when the sources are laid out.
pub(super) fn use_fetched(job: &BuildJob, recipe: &mut Stage1Recipe, place: &Place) -> Result<(), BuildError> {
    let staged = recipe.staging_caches.iter_mut().flat_map(|staging| &mut staging.source);
    for (number, source) in recipe.source.iter_mut().chain(staged).enumerate() {
        if let Source::Url(source) = source {
            replace(job, source, &place.root().join("sources").join(number.to_string()))?;
        }
    }
    Ok(())
}

fn replace(job: &BuildJob, source: &mut UrlSource, folder: &Path) -> Result<(), BuildError> {
    let asked =
        |url: &str| source.url.iter().any(|own| own.as_str() == url || Url::parse(url).is_ok_and(|url| url == *own));
    let Some(fetched) = job.sources.iter().find(|fetched| asked(&fetched.url)) else {
        let first = source.url.first().map(Url::as_str).unwrap_or_default();
        if first.starts_with("file:") {
            return Ok(());
        }
        return Err(BuildError::SourceMissing { package: job.output.clone(), url: first.to_owned() });
    };
    let file = fetched.file.canonicalize().map_err(|error| FsError::new("find", &fetched.file, error))?;
    // The library writes the URL into the work folder. Through a link it is the same URL wherever the store is. The
    // link has the file's name, because the name decides whether the library unpacks the file.
    fs::create_dir_all(folder)?;
    let link = folder.join(fetched.file.file_name().unwrap_or_default());
    link_to(&file, &link)?;
    source.url = vec![Url::from_file_path(&link).expect("a path below the scratch folder is absolute")];
    Ok(())
}
