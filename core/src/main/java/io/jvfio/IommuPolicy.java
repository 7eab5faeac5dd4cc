// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A choice of the IOMMU types that a negotiation may take, and of their order.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="policy"}
 *
 * @param required the only type allowed; if it does not work the negotiation fails
 * @param preferred types to try first, in this order
 * @param forbidden types never to try
 */
public record IommuPolicy(
    Optional<IommuType> required, List<IommuType> preferred, Set<IommuType> forbidden) {
  /**
   * The order in which types are tried. {@link IommuType#NOIOMMU} is unsafe and {@link
   * IommuType#TYPE1_NESTING} offers nothing over Type1: both are tried only by name.
   */
  public static final List<IommuType> DEFAULT_ORDER =
      List.of(
          IommuType.IOMMUFD,
          IommuType.TYPE1V2,
          IommuType.TYPE1,
          IommuType.SPAPR_TCE_V2,
          IommuType.SPAPR_TCE);

  private static final IommuPolicy AUTOMATIC =
      new IommuPolicy(Optional.empty(), List.of(), Set.of());

  /**
   * A policy that leaves at least one type.
   *
   * @throws IllegalArgumentException if it leaves none, or names {@link IommuType#VFIO_USER}, which
   *     no group has
   */
  public IommuPolicy {
    preferred = List.copyOf(preferred);
    forbidden = Set.copyOf(forbidden);
    if (Stream.of(required.stream(), preferred.stream(), forbidden.stream())
        .flatMap(types -> types)
        .anyMatch(IommuType.VFIO_USER::equals)) {
      throw new IllegalArgumentException(
          "no IOMMU group has type vfio-user, which is that of devices behind a socket (unix:PATH): they are opened"
              + " without a choice of type. The default order is "
              + names(DEFAULT_ORDER));
    }
    if (candidates(required, preferred, forbidden).isEmpty()) {
      throw new IllegalArgumentException(
          "the policy leaves no IOMMU type to try: "
              + required.map(type -> "only " + type + " is allowed and ").orElse("")
              + names(forbidden)
              + " forbidden. Forbid fewer types; the default order is "
              + names(DEFAULT_ORDER));
    }
  }

  /** A policy that takes every type in the default order, except those that must be named. */
  public static IommuPolicy automatic() {
    return AUTOMATIC;
  }

  /** A policy that takes only {@code type}. */
  public static IommuPolicy require(IommuType type) {
    return new IommuPolicy(Optional.of(type), List.of(), Set.of());
  }

  /** A policy that takes {@code types} first, in this order, then the default order. */
  public static IommuPolicy prefer(List<IommuType> types) {
    return new IommuPolicy(Optional.empty(), types, Set.of());
  }

  /** A policy that takes the default order without {@code types}. */
  public static IommuPolicy forbid(Set<IommuType> types) {
    return new IommuPolicy(Optional.empty(), List.of(), types);
  }

  /** The types to try, in order; never empty. */
  public List<IommuType> candidates() {
    return candidates(required, preferred, forbidden);
  }

  private static List<IommuType> candidates(
      Optional<IommuType> required, List<IommuType> preferred, Set<IommuType> forbidden) {
    Stream<IommuType> order =
        required.isPresent()
            ? required.stream()
            : Stream.concat(preferred.stream(), DEFAULT_ORDER.stream());
    var candidates = new LinkedHashSet<IommuType>();
    order.filter(type -> !forbidden.contains(type)).forEach(candidates::add);
    return List.copyOf(candidates);
  }

  private static String names(Collection<IommuType> types) {
    return types.stream().map(IommuType::id).collect(Collectors.joining(", "));
  }
}
