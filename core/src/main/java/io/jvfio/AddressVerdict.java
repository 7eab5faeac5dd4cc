// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.OptionalLong;

/**
 * Whether memory could be mapped at an address.
 *
 * @param iova the address asked about
 * @param byteSize the length asked about, in bytes
 * @param free whether it could
 * @param reason a sentence or two: why not, or in which window
 * @param nextFree the next address at or after it, or else the first one of all, at which that
 *     length fits; empty where there is none
 */
public record AddressVerdict(
    long iova, long byteSize, boolean free, String reason, OptionalLong nextFree) {}
