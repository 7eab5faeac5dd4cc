package io.jvfio;

/**
 * What probing one group found.
 *
 * @param group the group
 * @param negotiation every candidate tried for real; without attempts where the group could not be
 *     opened
 */
public record GroupProbe(IommuGroup group, Negotiation negotiation) {}
