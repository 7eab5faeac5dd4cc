package io.jvfio;

import java.io.Serializable;

/**
 * What an error means.
 *
 * @param meaning a sentence: what it means on this machine
 * @param nextStep a sentence: what the user can do; empty where there is nothing
 */
record Explanation(String meaning, String nextStep) implements Serializable {
  /** Both sentences. */
  String text() {
    return nextStep.isEmpty() ? meaning : meaning + " " + nextStep;
  }
}
