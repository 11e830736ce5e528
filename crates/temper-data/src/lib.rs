//! Reading rows: files, column maps, errors that name file, row and field.
