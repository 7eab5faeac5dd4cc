// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Steps.sequence;

import java.util.List;
import java.util.SplittableRandom;

/**
 * Makes sequences from seeds: the same seed, the same sequence. Most calls are meaningful where
 * they stand; about a third are wrong in some way.
 */
final class Generator {
  /**
   * The first of the seeds whose sequences may do what outlives them: keep memory locked, poison a
   * device.
   */
  static final long SPOILING_SEEDS = 2_000_001;

  private static final int FEWEST_STEPS = 12;
  private static final int MOST_STEPS = 44;
  private static final int READY_PERCENT = 80;

  /** Of the sequences where there are iommufds: those that are about them. */
  private static final int IOMMUFD_PERCENT = 86;

  /** Of the latter: those in which an iommufd takes the place of a container. */
  private static final int CONTAINER_PERCENT = 25;

  private static final List<Subject> IOMMUFD_SUBJECTS =
      List.of(new MemoryCalls(), new IommufdCalls(), new InterruptCalls());

  private static final List<Subject> CONTAINER_SUBJECTS =
      List.of(
          new LifeCycleCalls(),
          new MemoryCalls(),
          new Type1Calls(),
          new SpaprCalls(),
          new DeviceCalls(),
          new InterruptCalls(),
          new FeatureCalls());

  private final Ground ground;

  Generator(Ground ground) {
    this.ground = ground;
  }

  /** The sequence of a seed. */
  Sequence sequenceOf(long seed) {
    return sequence("seed-" + seed, steps -> write(steps, seed));
  }

  private void write(Steps steps, long seed) {
    var random = new SplittableRandom(seed);
    var draft = new Draft(steps, ground, random, seed >= SPOILING_SEEDS);
    int iommufdPercent = 0;
    if (ground.hasIommufd() && draft.chance(IOMMUFD_PERCENT)) {
      boolean asContainer = draft.chance(CONTAINER_PERCENT);
      iommufdPercent = asContainer ? 40 : 85;
      if (asContainer) {
        IommufdCalls.readyContainer(draft);
      } else {
        IommufdCalls.ready(draft);
      }
      MemoryCalls.map(draft);
    } else if (draft.chance(READY_PERCENT)) {
      LifeCycleCalls.ready(
          draft, "c0", draft.chance(75) ? "g0" : "g1", draft.oneOf(ground.types()));
      MemoryCalls.map(draft);
    }
    int count = random.nextInt(FEWEST_STEPS, MOST_STEPS + 1);
    while (steps.count() < count) {
      var menu = new Menu();
      var subjects =
          iommufdPercent > 0 && draft.chance(iommufdPercent)
              ? IOMMUFD_SUBJECTS
              : CONTAINER_SUBJECTS;
      subjects.forEach(subject -> subject.offer(draft, menu));
      menu.choose(random);
    }
  }
}
