// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

/**
 * What a kernel answered to one step.
 *
 * @param result the errno by name, the number returned, or {@code fd} or {@code mapped} for numbers
 *     that mean nothing by themselves
 * @param output what the kernel wrote: fields of the struct, or bytes
 * @param lockedKilobytes the process's locked memory, from the start of the sequence
 */
record Answer(String result, String output, long lockedKilobytes) {
  @Override
  public String toString() {
    return result
        + (output.isEmpty() ? "" : " " + output)
        + (lockedKilobytes == 0 ? "" : " locked %+d kB".formatted(lockedKilobytes));
  }
}
