//! Tokenizer, chat templates, trainable-token masks, language of words.
