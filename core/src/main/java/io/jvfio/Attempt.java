// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.Errno;
import java.util.Locale;
import java.util.Optional;

/**
 * The attempt of a negotiation to use one IOMMU type: how far it came, and why it ended there.
 *
 * @param type the type
 * @param advertised whether CHECK_EXTENSION said that the kernel knows it
 * @param reached the step at which the attempt ended: the one that failed, or {@link Step#USABLE}
 * @param outcome how it ended
 * @param call the call that ended it; empty where none did
 * @param errno the kernel's answer to that call, if it was an error
 * @param meaning a sentence: what this means on this machine, and what to do
 */
public record Attempt(
    IommuType type,
    boolean advertised,
    Step reached,
    Outcome outcome,
    Optional<String> call,
    Optional<Errno> errno,
    String meaning) {

  /** Whether it says more than that this kernel does not know the type. */
  public boolean isTelling() {
    return advertised || errno.isPresent();
  }

  /** The steps that a type goes through. */
  public enum Step {
    /** It was not tried. */
    NONE,
    /** The kernel knows it: CHECK_EXTENSION. */
    ADVERTISED,
    /** It can be set: SET_IOMMU. */
    ACCEPTED,
    /** Its description makes sense: GET_INFO. */
    DESCRIBED,
    /** A page was mapped and unmapped. */
    USABLE;

    /** The name in text and JSON. */
    public String id() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** The end of an attempt. */
  public enum Outcome {
    /** It works. */
    USABLE,
    /** The kernel does not have it, or does not let it be set, here. */
    REFUSED,
    /** It can be set, and does not work. */
    UNUSABLE,
    /** It was not tried. */
    SKIPPED;

    /** The name in text and JSON. */
    public String id() {
      return name().toLowerCase(Locale.ROOT);
    }
  }
}
