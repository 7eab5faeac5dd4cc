// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.linux.uapi.Vfio.VFIO_SPAPR_TCE_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_SPAPR_TCE_v2_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1_NESTING_IOMMU;
import static io.jvfio.linux.uapi.Vfio.VFIO_TYPE1v2_IOMMU;

import java.util.ArrayList;
import java.util.List;

/** The sequences of each lane, in the order in which they are run. */
final class Suite {
  static final List<String> LANES =
      List.of("pseries-5.10", "pseries-6.12", "pseries-6.12-noddw", "x86-6.12", "x86-6.12-iommufd");

  private static final List<Integer> NOT_TYPE1 =
      List.of(0, VFIO_SPAPR_TCE_IOMMU, 4, 5, VFIO_SPAPR_TCE_v2_IOMMU, 8, 9, 10, 11);
  private static final List<Integer> NOT_SPAPR =
      List.of(
          0, VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU, 4, 5, VFIO_TYPE1_NESTING_IOMMU, 8, 9, 10, 11);

  private Suite() {}

  /**
   * The lane's sequences.
   *
   * @param unprivileged those for a user without capabilities and 64 KiB of lockable memory
   * @throws IllegalArgumentException when there is no such lane
   */
  static List<Sequence> of(String lane, boolean unprivileged) {
    var sequences = unprivileged ? unprivileged(lane) : privileged(lane);
    var names = sequences.stream().map(Sequence::name).distinct().count();
    if (names != sequences.size()) {
      throw new IllegalStateException("two sequences of " + lane + " have the same name");
    }
    return sequences;
  }

  /**
   * What has to happen once before generated sequences can be compared; what is answered does not
   * matter. Without Dynamic DMA Windows the first mapping poisons a device, which another process
   * may have done before.
   */
  static List<Sequence> beforeGenerated(String lane) {
    return lane.equals("pseries-6.12-noddw") ? SpaprSequences.poison() : List.of();
  }

  private static List<Sequence> privileged(String lane) {
    var all = new ArrayList<>(LifeCycleSequences.untyped());
    switch (lane) {
      case "x86-6.12", "x86-6.12-iommufd" -> {
        all.add(LifeCycleSequences.types("types-of-other-machines", NOT_TYPE1));
        all.addAll(LifeCycleSequences.typed("type1", VFIO_TYPE1_IOMMU));
        all.addAll(LifeCycleSequences.typed("type1v2", VFIO_TYPE1v2_IOMMU));
        all.add(
            LifeCycleSequences.refused(
                "type1-nesting-refused", VFIO_TYPE1_NESTING_IOMMU, VFIO_TYPE1v2_IOMMU));
        all.addAll(DeviceSequences.all(VFIO_TYPE1v2_IOMMU));
        all.addAll(InterruptSequences.all(VFIO_TYPE1v2_IOMMU));
        all.addAll(FeatureSequences.all(VFIO_TYPE1v2_IOMMU));
        all.addAll(Type1Sequences.all("type1", VFIO_TYPE1_IOMMU));
        all.addAll(Type1Sequences.all("type1v2", VFIO_TYPE1v2_IOMMU));
        if (lane.equals("x86-6.12-iommufd")) {
          var onContainers = List.copyOf(all);
          all.addAll(IommufdSequences.onIommufd(onContainers));
          all.addAll(IommufdSequences.all());
          all.addAll(IommufdSequences.unprotected());
          all.addAll(FeatureSequences.ofNodes());
          all.addAll(FeatureSequences.belowABridge());
        }
      }
      case "pseries-5.10" -> {
        all.add(LifeCycleSequences.types("types-of-other-machines", NOT_SPAPR));
        all.addAll(LifeCycleSequences.typed("spapr-v1", VFIO_SPAPR_TCE_IOMMU));
        all.add(
            LifeCycleSequences.refused(
                "spapr-v2-refused", VFIO_SPAPR_TCE_v2_IOMMU, VFIO_SPAPR_TCE_IOMMU));
        all.addAll(DeviceSequences.all(VFIO_SPAPR_TCE_IOMMU));
        all.addAll(InterruptSequences.all(VFIO_SPAPR_TCE_IOMMU));
        all.addAll(FeatureSequences.all(VFIO_SPAPR_TCE_IOMMU));
        all.addAll(SpaprSequences.v1());
        all.addAll(SpaprSequences.v1Windows());
      }
      case "pseries-6.12", "pseries-6.12-noddw" -> {
        all.add(LifeCycleSequences.types("types-of-other-machines", NOT_SPAPR));
        all.addAll(LifeCycleSequences.typed("spapr-v1", VFIO_SPAPR_TCE_IOMMU));
        all.addAll(LifeCycleSequences.typed("spapr-v2", VFIO_SPAPR_TCE_v2_IOMMU));
        all.addAll(DeviceSequences.all(VFIO_SPAPR_TCE_v2_IOMMU));
        all.addAll(InterruptSequences.all(VFIO_SPAPR_TCE_v2_IOMMU));
        all.addAll(FeatureSequences.all(VFIO_SPAPR_TCE_v2_IOMMU));
        all.addAll(SpaprSequences.v1());
        all.addAll(SpaprSequences.v2());
        // Without Dynamic DMA Windows, the first of these poisons the device; hence last.
        all.addAll(SpaprSequences.v1Windows());
        all.addAll(SpaprSequences.v2Windows());
      }
      default -> throw unknown(lane);
    }
    return all;
  }

  private static List<Sequence> unprivileged(String lane) {
    return switch (lane) {
      case "x86-6.12" ->
          concat(
              UnprivilegedSequences.type1("type1", VFIO_TYPE1_IOMMU),
              UnprivilegedSequences.type1("type1v2", VFIO_TYPE1v2_IOMMU));
      case "x86-6.12-iommufd" -> concat(unprivileged("x86-6.12"), IommufdSequences.unprivileged());
      case "pseries-5.10" -> UnprivilegedSequences.spaprV1();
      case "pseries-6.12", "pseries-6.12-noddw" ->
          concat(UnprivilegedSequences.spaprV1(), UnprivilegedSequences.spaprV2());
      default -> throw unknown(lane);
    };
  }

  private static List<Sequence> concat(List<Sequence> first, List<Sequence> second) {
    var all = new ArrayList<>(first);
    all.addAll(second);
    return all;
  }

  private static IllegalArgumentException unknown(String lane) {
    return new IllegalArgumentException("no such lane: " + lane + "; there are " + LANES);
  }
}
