// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import java.util.Optional;
import java.util.regex.Pattern;

/** The version of a kernel, as far as it decides what VFIO does. */
record KernelRelease(int major, int minor) {
  private static final Pattern FORM = Pattern.compile("([0-9]{1,4})\\.([0-9]{1,4})\\b.*");

  /** The version that a release such as {@code 6.12.107+deb13-amd64} begins with. */
  static Optional<KernelRelease> parse(String release) {
    var matcher = FORM.matcher(release);
    return matcher.matches()
        ? Optional.of(
            new KernelRelease(
                Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2))))
        : Optional.empty();
  }

  /** Whether this version is {@code major.minor} or a later one. */
  boolean isSince(int sinceMajor, int sinceMinor) {
    return major > sinceMajor || (major == sinceMajor && minor >= sinceMinor);
  }
}
