//! Writes `docs/recipe.schema.json`, `docs/suites.schema.json` and the reference part of `docs/recipe.md`. Run it from the root of the repository.

use std::fs;

fn main() -> std::io::Result<()> {
    let guide = fs::read_to_string("docs/recipe.md")?;
    let renewed = temper_recipe::docs::renew(&guide)
        .ok_or_else(|| std::io::Error::other("docs/recipe.md has no marks for the generated part"))?;
    fs::write("docs/recipe.md", renewed)?;
    fs::write("docs/recipe.schema.json", temper_recipe::docs::schema_file())?;
    fs::write("docs/suites.schema.json", temper_recipe::docs::suite_schema_file())
}
