// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * The result of probing one group.
 *
 * @param group the group
 * @param negotiation every candidate tried for real; without attempts where the group could not be
 *     opened
 */
public record GroupProbe(IommuGroup group, Negotiation negotiation) {}
