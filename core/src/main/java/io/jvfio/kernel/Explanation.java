package io.jvfio.kernel;

import java.io.Serializable;

/**
 * What an error means.
 *
 * @param meaning a sentence: what it means on this machine
 * @param nextStep a sentence: what the user can do; empty where there is nothing
 */
public record Explanation(String meaning, String nextStep) implements Serializable {
  /** Both sentences. */
  public String text() {
    return nextStep.isEmpty() ? meaning : meaning + " " + nextStep;
  }
}
