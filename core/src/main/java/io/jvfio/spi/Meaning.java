package io.jvfio.spi;

/**
 * What an error means.
 *
 * @param text a sentence: what it means
 * @param nextStep a sentence: what the user can do; empty where there is nothing
 */
public record Meaning(String text, String nextStep) {}
