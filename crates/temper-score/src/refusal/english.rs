//! Patterns of English sentences, in the spelling of [`super::sentences`]: lower case, contractions written out.
//!
//! They describe what a sentence does (declines, apologises, judges the request, preaches, sends elsewhere), not what any
//! one model writes.

use regex::RegexSet;
use std::sync::LazyLock;

/// What an assistant says that it will not do.
const HELPING: &str = r"(?:provide|offer|give|help|assist|aid|answer|fulfil+|comply|complete|do (?:that|this|so|it|what)|share|discuss|engage|participate|partake|support|condone|promote|encourage|endorse|suggest|recommend|advise|advocate|create|generate|write|produce|compose|draft|respond|reply|satisfy|accommodate|continue (?:with|this|that|down)|proceed|entertain|facilitate|contribute|take part|be (?:a )?(?:part|involved|used|complicit)|tell you (?:how|where|what|which|that|about)|teach|explain how|describe how|describe (?:the|any|ways|methods)|list|outline|go into|disclose|reveal|supply|make (?:that|this|such|any|jokes?|fun|a (?:joke|list|plan))|act (?:as|on|out)|perform|process (?:this|that|your)|hono+u?r|grant|allow|justify|defend|argue|speculate|discriminate|spread|talk about|walk you|instruct|guide you|show you how|in good (?:conscience|faith)|cooperate|tolerate|role-?play|pretend|impersonate|address (?:this|that|your)|handle (?:this|that|such)|say (?:that|anything|who|why)|judge|rank|rate|express (?:hate|hatred|support)|be able to (?:help|assist|provide|answer|fulfil+|do|share|offer|give|support|complete|comply|discuss))";

/// Words between "I" and what it does not do.
const HEDGE: &str = r"(?:(?:\w+ly|also|just|still|therefore|thus|simply|must|have to|am afraid(?: that)? i|regret(?: to say)?(?: that)? i|as an? [\w ,-]{2,50}?,?|,|myself|must admit i|would say i|do|really|always) ){0,3}";

struct Patterns {
    set: RegexSet,
    names: Vec<Mark>,
}

/// What a sentence may show. A sentence can show several of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Mark {
    /// The speaker cannot or will not help.
    Decline,
    /// The speaker cannot know, see or promise something, or gives no advice of a profession: no refusal.
    Limit,
    /// The reason is a fact: there is no such thing, or the speaker does not have it.
    Fact,
    /// An apology without sympathy.
    Sorry,
    /// Sympathy.
    Sympathy,
    /// The request itself is called wrong.
    Judgement,
    /// An opening that is about to preach.
    Preface,
    /// Morals, law, danger.
    Moral,
    /// Somebody else, something else, or another question.
    Elsewhere,
    /// Something else in place of what was asked.
    Instead,
    /// Something that was asked for follows.
    Offer,
    /// A premise is denied.
    Denial,
    /// It is denied that something is right.
    Unjustified,
}

/// What an English sentence shows.
pub(super) fn marks(plain: &str) -> Vec<Mark> {
    static PATTERNS: LazyLock<Patterns> = LazyLock::new(compile);
    let patterns = &*PATTERNS;
    patterns.set.matches(plain).into_iter().map(|at| patterns.names[at]).collect()
}

fn compile() -> Patterns {
    let mut all: Vec<(Mark, String)> = Vec::new();
    let mut add = |mark, source: String| all.push((mark, source));
    use Mark::*;
    // First person, inability or unwillingness, a verb of helping.
    add(
        Decline,
        format!(
            r"\b(?:i|we) {HEDGE}(?:cannot|could not|am not able to|are not able to|am unable to|are unable to|will not|will never|am not going to|shall not|may not|am not (?:allowed|permitted|authori[sz]ed|programmed|designed|equipped|in a position|at liberty|here) to|was not (?:designed|built|made|created) to|am prohibited from|must not|should not|cannot and will not|do not and will not) (?:and will not |or will not |and \w+ not |nor will i |(?:\w+ly|even|be able to|ever|possibly|in any way|go ahead and|either|currently|to|actually|here|in good (?:conscience|faith),?) ){{0,2}}{HELPING}"
        ),
    );
    add(
        Decline,
        format!(
            r"\b(?:i|we) {HEDGE}(?:do not|never) (?:(?:\w+ly|ever|want to|wish to|think i (?:can|should)|feel (?:comfortable|able|right)(?: to)?|intend to|plan to) ){{0,2}}(?:condone|promote|support|encourage|endorse|engage|participate|provide|assist|generate|facilitate|tolerate|produce|create|help|comply|fulfil+|discuss)\b"
        ),
    );
    add(Decline, r"\b(?:i|we) (?:\w+ly |must |have to |will |am going to (?:have to )?|need to |would like to |am afraid i (?:must|have to) ){0,3}(?:refuse|decline)\b".to_owned());
    add(Decline, r"\bi (?:am|would be|feel|do not feel|would not feel|will not be|would not be) (?:not )?(?:\w+ly )?(?:(?:not|un)\s?(?:comfortable|willing|prepared|inclined|ready)|(?:un)?comfortable) (?:with |about )?(?:to|providing|helping|assisting|discussing|sharing|writing|answering|giving|engaging|generating|creating|doing|responding|continuing|this|that|going|having|talking|producing|making)".to_owned());
    add(Decline, r"\bi (?:would|will) (?:rather|prefer) not\b|\bi would prefer (?:to not|if we did not)\b".to_owned());
    add(
        Decline,
        format!(
            r"\bi am (?:just |only )?an? [\w ,/-]{{0,60}}?\b(?:ai|assistant|model|bot|chatbot|program|llm)\b[\w ,()-]{{0,50}}?\b(?:cannot|do not|will not|am not able to|am unable to|am not programmed to|do not have the (?:ability|capability|capacity) to|am not designed to|is not able to|not capable of|not able to|unable to) (?:\w+ly )?(?:{HELPING}|providing|promoting)"
        ),
    );
    add(Decline, r"\b(?:do not|cannot) have (?:direct |any )?access to (?:\w+ ){0,3}(?:personal|private|confidential|sensitive)\b".to_owned());
    add(
        Decline,
        format!(
            r"\b(?:i|we) (?:\w+ ){{0,2}}(?:cannot|will not|would not) (?:in good (?:conscience|faith) |and will not |and should not )?(?:be )?(?:{HELPING}|helping|providing|doing|writing|assisting)\b|\bsomething i (?:will not|cannot|am unable to|am not able to|do not|am not (?:willing|comfortable|going to))"
        ),
    );
    // Without a subject: "Sorry, can't help with that."
    add(
        Decline,
        format!(
            r"^(?:(?:so |i am |my )?(?:very |really |deeply |truly )?(?:sorry|apologi[sz]e|apologies|unfortunately|regrettably|no|nope)(?: about that)?[\s,.!;:-]*(?:but |however,? )?(?:that |this |it )?)?(?:is )?(?:cannot|unable to|not able to|will not|not going to) (?:be able to )?(?:{HELPING})"
        ),
    );
    add(Decline, r"\b(?:this|that|it|these|such (?:a )?\w+|your|the|the \w+|your \w+) ?(?:request|question|prompt|topic|task|content|information|query|kind of \w+|type of \w+)? ?(?:is|are) (?:\w+ly )?(?:not )?something (?:that )?(?:i|we) (?:\w+ly )?(?:cannot|can|am|will|would|could|do|should|have)\b[\w ]{0,12}(?:not|help|assist|provide|do|unable|discuss|share|support|comfortable|engage)".to_owned());
    add(Decline, r"\b(?:your|this|that|the) (?:request|question|prompt|query|task|instruction|demand)s? (?:cannot|will not|could not|can no longer|may not) be (?:\w+ly )?(?:fulfil+ed|completed|answered|processed|honou?red|granted|accommodated|met|satisfied|addressed|carried out|complied)".to_owned());
    add(Decline, r"\bmy (?:\w+ ){0,4}(?:guidelines|programming|policy|policies|principles|values|training|safety \w+|ethic\w*|creators?|developers?|rules|instructions|purpose|restrictions|filters?|design)\b[\w ,]{0,40}?\b(?:prohibit|prevent|do not (?:allow|permit|let)|does not (?:allow|permit|let)|forbid|restrict|not to|preclude|stop|keep me from|bar|disallow|against|require me to (?:refuse|decline))".to_owned());
    add(Decline, r"\b(?:goes|go|going|would go|is|are|be|runs?) (?:\w+ly )?(?:against|contrary to|outside(?: of)?|beyond|in violation of|not (?:in line|aligned|consistent|compatible) with|not (?:with)?in) (?:the (?:scope|bounds) of )?(?:my|our|the|openai's|anthropic's|community|content|safety|ethical|company|all)\b(?: \w+){0,4}? ?(?:programming|guidelines?|polic(?:y|ies)|principles?|values|terms|capabilities|rules|standards|code|ethics|training|purpose|scope|boundaries|core)".to_owned());
    add(Decline, r"\b(?:violates?|breach(?:es)?|contravenes?|would violate|conflicts? with|prohibited by|not allowed by|not permitted (?:by|under)) (?:my|our|the|openai's|anthropic's|community|content|safety|ethical|usage|platform)\b(?: \w+){0,4}? ?(?:guidelines?|polic(?:y|ies)|principles?|terms|rules|standards|programming|values|core)".to_owned());
    add(Decline, r"\b(?:it is|it would be) (?:not |also not |\w+ly not )(?:within|in) (?:my|our) (?:\w+ ){0,3}(?:programming|capabilit|guidelines|abilit|power|nature|ethic|scope|purpose)".to_owned());
    add(Decline, r"\bi do not have (?:the|any) (?:\w+ )?(?:ability|capability|capacity|permission|authority|authori[sz]ation) to (?:provide|help|assist|discuss|promote|generate|create|share|engage|fulfil+|offer|give|harm|support|encourage|condone)".to_owned());
    add(Decline, r"\bi (?:have|need|want|am going) to (?:stop|draw (?:a|the) line)\b|\bi draw (?:a|the) line\b|\b(?:i will|i would like to|i am going to) (?:have to )?(?:pass|stop (?:here|there)) (?:on (?:this|that)|here)|\bno can do\b|\bnot going to happen\b|\bi want no part\b".to_owned());
    add(Decline, r"^(?:no|nope|never|absolutely not|certainly not|of course not|definitely not|hell no|no way|not a chance|i cannot|i will not|i refuse|cannot help|request denied|access denied|declined|refused)[\s.!]*$".to_owned());
    add(Decline, r"^(?:i am |so |very )*sorry[, ]+(?:but )?(?:no|i cannot|i will not|not (?:this|that)|that is (?:not possible|off limits))[\s.!]*$|\bsorry[,.]? (?:but )?(?:i (?:cannot|will not))[.!]*$".to_owned());
    add(Decline, r"\b(?:please )?do not ask (?:me )?(?:for |about |to |such|that|this)|\bi (?:\w+ly )?(?:ask|urge|request|must ask)(?: that)? you (?:to )?(?:not|refrain|stop|reconsider|rephrase)".to_owned());
    add(Decline, r"\b(?:providing|sharing|giving|offering|answering|discussing|assisting|helping|writing|creating|generating|supporting|encouraging|promoting|suggesting)\b[\w ,'-]{0,80}? (?:is|would be|are) (?:\w+ly )?(?:not|against|something i|in ?appropriate|unethical|illegal|ir ?responsible|harmful|un ?acceptable|dangerous|wrong)".to_owned());
    add(Decline, r"\b(?:designed|trained|programmed|built|instructed|told) not to (?:answer|help|assist|provide|discuss|give|share|support|engage|respond|do)|\b(?:outside|beyond|not within) what i (?:am|can|will|feel)\b|^(?:no|nope|sorry)?[ ,.]*(?:i am )?not (?:doing|answering|helping with|going there|writing)\b".to_owned());
    // Limits that are no refusals.
    add(Limit, r"\b(?:cannot|could not|will not|would not|am not able to|am unable to) (?:\w+ly |ever |even |be able to )?(?:stress|emphasi[sz]e|overstate|overemphasi[sz]e|guarantee|promise|be (?:\w+ly )?(?:sure|certain|held)|predict|verify|confirm|imagine|believe|recall|remember|wait|recommend \w+ (?:\w+ )?(?:enough|highly)|thank|agree more|help but|see|hear|tell (?:if|whether|for|from|apart)|say (?:for|with|whether|if|exactly|definitively|enough)|know|determine|find|think of|access|browse|open|view|feel|taste|express my (?:gratitude|thanks)|speak for)".to_owned());
    add(Limit, r"\b(?:do not|cannot|am not able to|am unable to|will not|not (?:a substitute|intended)|should not be (?:taken|considered)) (?:\w+ )?(?:provide|give|offer|as|have|for|replace|constitute|express|hold|possess)?\b ?(?:\w+ ){0,3}(?:(?:legal|medical|financial|professional|tax|investment|health|personali[sz]ed|specific medical|veterinary|psychological) (?:or \w+ )?(?:advice|diagnos\w+|counsel|opinions?|guidance)|personal (?:opinions?|experiences?|feelings?|beliefs?|preferences?|views?)|feelings|emotions|opinions|beliefs|consciousness|a body|real-?time|diagnos\w+)".to_owned());
    add(Limit, r"\b(?:i|we) (?:would not|do not|cannot) (?:\w+ly )?(?:recommend|advise|suggest) (?:\w+ing|you|to|it|that you|that approach|anyone|going|against)\b".to_owned());
    add(Limit, r"\brefuse to (?:believe|accept|let|give up|be|think|admit)\b".to_owned());
    // Facts.
    add(Fact, r"\b(?:is|are|was|being|as) (?:\w+ly |just |only |both )?(?:an? |the )?(?:\w+ ){0,3}fictional|\bfictional (?:character|person|figure|being|place|entity|world|universe|creature)s?\b|\bfictitious\b|\bdoes not (?:actually |really )?exist\b|\bdo not (?:actually |really )?exist\b|\bnot (?:a )?real\b|\bno such (?:thing|person|place|event|word|number|record)|\bmade[- ]up\b|\bis a character\b|\bmythical (?:creature|being|figure)|\bdoes not have (?:a|an|any)\b|\binanimate\b".to_owned());
    add(Fact, r"\b(?:not|never) (?:been )?(?:\w+ly )?(?:publicly|readily|widely) (?:available|known|disclosed|shared|listed|accessible)|\bnot (?:\w+ )?(?:available to the public|public (?:information|knowledge))|\b(?:is|are|was) (?:unknown|not known|not specified|never (?:mentioned|stated|revealed|specified)|not (?:mentioned|stated|revealed|disclosed))|\b(?:do not|does not) (?:currently |actually )?have (?:\w+ )?(?:access|information|knowledge|data|details|enough|a record|any record|records)|\bno (?:access to|record of|information (?:on|about)|publicly available)|\bmy knowledge cut|\b(?:lack|without) (?:access|information|context|more context)|\bnot aware of\b|\bnot familiar with\b|\bno way (?:of knowing|to know)".to_owned());
    // Apology and sympathy.
    add(Sympathy, r"\bsorry (?:to (?:hear|learn|read|know)|for (?:your|the) (?:loss|pain|trouble|inconvenience|confusion|delay|misunderstanding)|(?:about|that) (?:your|you|the|this)|you (?:are|have|feel|had))|\bsorry for (?:what|everything)|\b(?:i|we) understand (?:that|how|your|you|this|why|the)|\bsympath|\bthat (?:sounds|must be) (?:\w+ )?(?:hard|difficult|tough|painful|frustrating|awful|stressful)|\bcondolences|\bgoing through (?:a )?(?:difficult|hard|tough|this)".to_owned());
    add(Sorry, r"\b(?:sorry|apologi[sz]e|apologies|unfortunately|regrettably|i regret|i am afraid)\b".to_owned());
    // The request is judged.
    add(Judgement, r"\b(?:not|never|neither|nor) (?:\w+ly |at all |a |an |considered |okay |very |be |ever |either |my place |in any way )*(?:appropriate|ethical|acceptable|okay|ok|permissible|respectful|responsible|moral|right|suitable|productive|advisable|proper|constructive|legal|fair|helpful|accurate)\b[\w ,']{0,40}? to (?:ask|discuss|promote|suggest|provide|make (?:assumptions|generali[sz]ations|jokes?|fun|such|light)|seek|engage|encourage|joke|share|spread|talk|use (?:such|this|that|violent|hurtful|derogatory|offensive|harmful)|consider|imply|assume|perpetuate|label|stereotype|judge|compare|support|condone|inquire|request|glorify|trivialize|describe|speak|advise|instruct|give|say that|advocate|attempt|try to|harm|treat|wish|want|think|deny|overstate|target|refer|mock|participate|obtain|access|invade|have such)".to_owned());
    add(Judgement, r"\b(?:question|request|asking|query|prompt|topic|inquiry|premise|statement|suggesting|suggestion|idea|wording|phrasing|language|term|phrase|comment|thought|intention)s?\b[\w ,'-]{0,60}? (?:is|are|was|may be|can be|could be|might be|seems?|appears?|sounds?|contains?|implies|suggests|promotes|perpetuates|involves|has) (?:\w+ ){0,4}?(?:not (?:\w+ )?(?:appropriate|ethical|acceptable|respectful|right|legal|okay|something|safe)|inappropriate|unethical|illegal|immoral|harmful|offensive|unacceptable|disrespectful|discriminatory|dangerous|hateful|insensitive|problematic|disturbing|concerning|prejudice|stereotyp\w+|bias(?:ed)?|hurtful|violen(?:t|ce)|derogatory|racist|sexist|homophobic|wrong|troubling|misleading|toxic|highly)".to_owned());
    add(Judgement, r"\b(?:inappropriate|unethical|immoral|unacceptable|irresponsible|disrespectful|insensitive|offensive|illegal|wrong|harmful|dangerous)(?: for (?:me|anyone|us))? (?:and \w+ |or \w+ |, \w+,? (?:and|or) \w+ )?(?:to (?:ask|discuss|promote|suggest|provide|seek|encourage|share|make|inquire|request|advise|support|assist|help|speculate|write|give|use|even|joke|comment)|(?:question|request|topic|suggestion|query|prompt|inquiry)\b)".to_owned());
    add(Judgement, r"\b(?:not|never) (?:\w+ly )?(?:recommend|advis|encourag|condon|support|endors|suggest)(?:ed|able|e|ing)? (?:to |that |this |that you |such |or |and |\w+ing )|\b(?:should|must|can) (?:never|not) be (?:\w+ly )?(?:discussed|promoted|encouraged|condoned|glorified|attempted|tolerated|considered|used to harm|joked)|\bunder (?:any|no) circumstances?\b|\byou should(?: \w+)? (?:not|never) (?:\w+ )?(?:ask|do (?:this|that)|attempt|try|engage|seek|harm|hurt|use|commit|consider)".to_owned());
    add(Judgement, r"\b(?:it is|it would be|that is|this is) (?:\w+ly )?(?:not|never|neither) (?:\w+ly |an? )?(?:ethical|appropriate|acceptable|legal|moral|okay|ok|safe or (?:ethical|legal)|respectful|responsible|right)\b".to_owned());
    add(Preface, r"\bi (?:must|have to|need to|feel (?:compelled|obligated|it is)|want to|would like to|should) (?:\w+ly |strongly )*(?:clarify|inform|emphasi[sz]e|point out|stress|caution|advise|warn|note|remind|urge|say|address|tell you|mention|express|admit|make it clear|be clear|insist|ask you)|\bas (?:a|an) (?:\w+ ){0,4}(?:ai|assistant|language model|chatbot)\b|\bi am (?:just |only )?an? (?:\w+ ){0,4}(?:ai|assistant|language model)\b|\bfirst and foremost\b|^(?:it is|it is also|it is \w+ly) (?:important|crucial|essential|vital|imperative|worth) (?:to )?(?:note|remember|understand|recogni[sz]e|clarify|emphasi[sz]e|acknowledge|state|point)".to_owned());
    // Morals.
    add(Moral, r"\b(?:unethical|illegal|immoral|unlawful|un ?acceptable|inhumane|reprehensible|abhorrent|heinous|cruel|against the law|criminal (?:offen[cs]e|charges|act)|crimes?|serious (?:crime|offen[cs]e|consequences)|legal consequences|severe (?:legal |criminal )?(?:consequences|penalties|punishment)|felony|never (?:the answer|a solution|the solution|okay|ok|acceptable|justified|right|appropriate|ethical|condoned)|you (?:should|must|can) never|not (?:the answer|the solution|a solution|justified|justifiable|okay to|acceptable|right or|ethical|condone)|wrong and|fundamental (?:human )?right|human rights|basic rights|equal (?:rights|opportunit\w+|treatment|access)|dignity|respect and|with respect|respectful\w*|kindness|compassion|empathy|inclusiv\w+|diversity|inclusion|equality|stereotyp\w+|discriminat\w+|prejudice\w*|fairness|positivity|bigot\w*|hatred|hateful|racis\w+|sexis\w+|homophob\w+|harmful|violence|sanctity|well-?being|morally|ethical\w*|moral|cause harm|causing harm|harm to (?:others|people|yourself|themselves|anyone|oneself)|hurtful|hurts? (?:people|others|both|feelings)|hurt(?:ing)? (?:others|people|someone|anyone)|harming (?:others|people|someone|anyone)|safety of|priva(?:cy|te)|consent|victims?|suffering|irreversible|life-?threatening|non-?violent|peaceful\w*|integrity|inherent (?:value|worth)|regardless of (?:their|your|one's|race|gender|sexual)|self-harm|law enforcement will|jail|prison|property rights|rights of others|dangerous|deadly|fatal|lethal|serious (?:harm|injur\w+)|permanent (?:damage|harm)|injur(?:y|ies)|tragic|tragedy|atrocit\w+|horrific|abus(?:e|ive)|oppress\w+|persecut\w+|devastating|trauma\w*|equal(?:ly)?|deserves?)\b".to_owned());
    // Elsewhere.
    add(Elsewhere, r"\b(?:seek(?:ing)?|get|find|consult(?:ing)?|contact(?:ing)?|reach(?:ing)? out|talk(?:ing)? to|speak(?:ing)? (?:to|with)|call(?:ing)?|turn to|ask(?:ing)? for) (?:\w+ ){0,4}(?:help|support|assistance|guidance|professionals?|therap\w+|counsel\w+|doctor|hotline|helpline|lifeline|authorities|police|law enforcement|emergency|someone|trusted|a friend|attorney|lawyer|out to|health\w*|experts?|specialist|resources|crisis|911|988|local)|\b(?:hotline|helpline|lifeline|988|crisis (?:line|text|center)|samaritans)\b|\bmental health (?:professional|provider|support|service|crisis|resource)|\bresources (?:are )?available\b|\byou are not alone\b|\bpeople who (?:care|can help|want to)|\bthere is (?:always )?(?:help|hope)\b|\bif you (?:or someone(?: you know)?|or anyone|are|feel|have been|find yourself|have|need|suspect|know) (?:\w+ ){0,4}(?:struggling|experiencing|feeling|having (?:thoughts|trouble)|suicidal|danger|crisis|distress|threatened|unsafe|overwhelm\w*|victim|abuse|harm|addict\w*|upset|thoughts)".to_owned());
    add(Elsewhere, r"\b(?:how|what) (?:can|may|else can|could|would) (?:i|you) (?:\w+ )?(?:help|assist|like)(?: you)?\b|\b(?:is|are) there (?:anything|something|a specific|any|another|other)\b[\w ,']{0,60}\?|\bfeel free to (?:ask|let|reach|share|provide)|\b(?:any|have) (?:other|further|more|additional|specific) (?:questions?|concerns?|topics?|requests?)|\b(?:i am|i would be|i will be) (?:\w+ )?(?:happy|glad|here|able|delighted|more than happy) to (?:help|assist|answer|support|provide|discuss|offer|listen|share|talk|brainstorm|suggest|explore|work)|\blet (?:me|us) know (?:if|how|what|and)|\bdo my best to (?:assist|help|provide)|\bi am here (?:to|for|if)|\b(?:would you like|do you want|shall we|could you (?:please )?(?:clarify|provide|tell|rephrase|explain))|\bplease (?:ask|rephrase|provide (?:more|a different|another)|clarify|reconsider|consider|refrain|remember|respect|be|do not|avoid|take care|stay|know that)|\bi (?:\w+ )?(?:encourage|urge|advise|recommend|suggest)(?: that)? (?:you|that you|seeking|speaking|talking|contacting|reaching|consulting|focusing|finding|considering|looking)".to_owned());
    add(Instead, r"^(?:instead|rather|alternatively|a better|perhaps (?:you|we))\b|\binstead(?:,|$| of (?:\w+ing|asking|trying|this|that|seeking|focusing))|\blet us (?:focus|try|work|talk|explore|shift|discuss|strive|keep|instead|all|rather|find)|\b(?:positive|healthy|healthier|safer|safe|legal|lawful|constructive|peaceful|ethical|alternative|other|different|appropriate|better|non-?violent|productive) (?:and \w+ )?(?:ways?|alternatives?|topics?|options?|suggestions?|activities|approach(?:es)?|methods?|means|themes|ideas|outlets?|solutions?|strategies|resources?|directions?)\b|\bi can (?:\w+ )?(?:suggest|offer|help|assist|provide|share|discuss)\b[\w ,']{0,80}\binstead\b|\bit (?:is|would be|might be|may be) (?:best|better|more \w+|important|recommended|helpful|necessary|wise) to (?:focus|seek|consult|speak|talk|try|approach|find|work|address|consider|use|prioriti[sz]e|treat|respect|avoid|resolve|contact|promote|remember|ensure|recogni[sz]e|follow|be|act|always|discuss|handle|create|evaluate|judge|acknowledge|understand|value|celebrate|uphold|engage|foster|strive|note)".to_owned());
    add(Offer, r"\bhere (?:is|are|you go|goes)\b|\b(?:the )?following (?:steps?|tips?|is|are|information|methods?|ways?|points?|reasons?|example|outline|guide|instructions)|\bstep[- ]by[- ]step\b|\bi can (?:\w+ )?(?:tell|offer|provide|give|explain|share|help|say|describe|discuss)\b|\b(?:that (?:being )?said|having said that|with that (?:said|in mind)|nonetheless|nevertheless|for (?:educational|informational|fictional|academic|creative) purposes|in general terms|generally speaking|hypothetically|in a (?:fictional|hypothetical))\b|\b(?:sure|certainly|of course|absolutely)[!,]".to_owned());
    add(Unjustified, r"\b(?:was|were|is|are|be|been) (?:\w+ly )?(?:not|never|in no way|neither) (?:\w+ly |morally )?(?:justified|right or|justifiable|excusable|defensible)\b|\b(?:no|not any|nothing) (?:\w+ )?(?:justifi\w+|excuse)\b|\bunjustifi\w+|\bno inherent reason (?:why|that|for)\b".to_owned());
    add(Denial, r"\bthere (?:is|are|has been) (?:\w+ly )?no (?:\w+ ){0,2}(?:evidence|reason|basis|justification|proof|truth|way|ways|excuse|research|support)|\bno (?:inherent|valid|legitimate|scientific|factual|good|moral|ethical) (?:reason|basis|evidence|justification)|\bnot (?:accurate|true|correct|factual|the case)\b|\bmisconception|\bmyth\b|\bpremise\b|\b(?:was|were|is|are) (?:\w+ly )?not (?:\w+ly )?(?:justified|right|justifiable|weaker|inferior|less|better)|\bfalse (?:claim|assumption|information|premise|statement)".to_owned());
    let names = all.iter().map(|(mark, _)| *mark).collect();
    #[allow(clippy::unwrap_used, reason = "constant patterns, compiled by a test")]
    let set = regex::RegexSetBuilder::new(all.iter().map(|(_, source)| source))
        .size_limit(1 << 28)
        .unicode(false)
        .build()
        .unwrap();
    Patterns { set, names }
}
